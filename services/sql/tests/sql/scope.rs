//! A user sees the rows of its own sites, by whatever way it asks.

use std::collections::BTreeSet;

use super::rig::{Rig, SITES_OF, column, refused};

const PERIOD: &str = "'2026-03-02', '2026-03-03'";

#[tokio::test]
async fn every_view_shows_one_users_sites_and_all_of_them_to_who_may_see_all() {
    let rig = Rig::open().await;
    let (ann, leader) = (rig.client("ann").await, rig.client("leader").await);
    for (view, by) in SITES_OF {
        let sql = format!("SELECT DISTINCT {by} FROM {view} ORDER BY 1");
        let (hers, all) = (column(&ann, &sql).await, column(&leader, &sql).await);
        assert!(!hers.is_empty() && hers.iter().all(|name| name.contains("north")), "{view}: {hers:?}");
        assert_eq!(all.len(), 2, "{view}: {all:?}");
    }
    let listed = column(&ann, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'").await;
    let without_site = ["about", "cut_info", "models", "gate_decisions"];
    let known = |name: &&String| SITES_OF.iter().any(|(view, _)| view == name) || without_site.contains(&name.as_str());
    let unknown: Vec<_> = listed.iter().filter(|name| !known(name)).collect();
    assert!(unknown.is_empty(), "{unknown:?} is not in this test");
}

#[tokio::test]
async fn every_function_answers_about_ones_own_sites() {
    let rig = Rig::open().await;
    rig.hear_late(&["north", "south"], 2).await;
    let (ann, leader) = (rig.client("ann").await, rig.client("leader").await);
    let mut shown = BTreeSet::new();
    for (call, hers, all) in [
        (format!("uptime({PERIOD})"), 1, 2),
        (format!("uptime_by_device({PERIOD})"), 1, 2),
        (format!("uptime_by_device({PERIOD}, site => 'south')"), 0, 1),
        // One hour of silence ends the day.
        (format!("timeline('ct-north', {PERIOD})"), 24, 24),
        (format!("timeline('ct-south', {PERIOD})"), 0, 24),
        ("devices_at('2026-03-02')".to_owned(), 1, 2),
        (format!("failures({PERIOD})"), 1, 2),
        (format!("failures({PERIOD}, site => 'south')"), 0, 1),
        (format!("downtimes({PERIOD})"), 2, 4),
        (format!("repairs({PERIOD})"), 1, 2),
        (format!("uptime_by_day({PERIOD})"), 1, 2),
        (format!("reliability({PERIOD})"), 1, 2),
        (format!("cycles({PERIOD})"), 1, 2),
        (format!("cycles_between_failures({PERIOD})"), 1, 2),
        (format!("pm({PERIOD})"), 1, 2),
        (format!("concurrency({PERIOD})"), 1, 2),
        (format!("scorecards({PERIOD})"), 1, 2),
        (format!("scorecards({PERIOD}, by => 'fleet')"), 1, 1),
        (format!("scorecards({PERIOD}, by => 'device', site => 'south')"), 0, 1),
        // A site under each of four adjustments; the fleet is what the user sees.
        (format!("comparison({PERIOD})"), 4, 8),
        (format!("comparison({PERIOD}, by => 'downtime')"), 4, 8),
        (format!("comparison({PERIOD}, kind => 'mri')"), 0, 0),
        (format!("pieces({PERIOD})"), 23, 46),
        (format!("evidence({PERIOD}, device => 'ct-south')"), 0, 2),
        (format!("amendments({PERIOD}, closed => '2026-03-03')"), 1, 2),
        (format!("amendments({PERIOD}, closed => '2026-03-03', site => 'south')"), 0, 1),
        (format!("backdated({PERIOD}, closed => '2026-03-02T12:00:00Z')"), 1, 2),
        (format!("amended_work({PERIOD}, closed => '2026-03-03')"), 1, 2),
        (format!("amended_counters({PERIOD}, closed => '2026-03-03')"), 1, 2),
        ("order_phases()".to_owned(), 3, 6),
        ("contract_versions()".to_owned(), 1, 2),
        ("contract_versions(site => 'south')".to_owned(), 0, 1),
        ("issued_statements()".to_owned(), 1, 2),
    ] {
        let sql = format!("SELECT count(*) FROM {call}");
        assert_eq!(column(&ann, &sql).await, [hers.to_string()], "ann, {call}");
        assert_eq!(column(&leader, &sql).await, [all.to_string()], "leader, {call}");
        shown.extend(call.split('(').next().filter(|_| hers < all).map(str::to_owned));
    }
    for (view, by) in SITES_OF {
        let sql = format!("SELECT DISTINCT {by} FROM {view}() ORDER BY 1");
        if column(&leader, "SELECT usage FROM about").await.iter().any(|usage| usage.contains(&format!(" {view}("))) {
            let (hers, all) = (column(&ann, &sql).await, column(&leader, &sql).await);
            assert!(hers.len() == 1 && hers[0].contains("north") && all.len() == 2, "{view}(): {hers:?} of {all:?}");
            shown.insert(view.to_owned());
        }
    }
    let listed = column(&leader, "SELECT name FROM about WHERE strpos(usage, '(') > 0").await;
    let unseen: Vec<_> = listed.iter().filter(|name| !shown.contains(*name)).collect();
    assert!(unseen.is_empty(), "{unseen:?} would show another site's rows and no row here says so");
}

#[tokio::test]
async fn no_way_around_the_filter_is_found() {
    let rig = Rig::open().await;
    let ann = rig.client("ann").await;
    for sql in [
        "SELECT site FROM devices WHERE site = 'south'",
        "SELECT site FROM devices WHERE site = 'south' OR true AND site <> 'north'",
        "SELECT d.site FROM devices d FULL JOIN sites s ON false WHERE d.site = 'south'",
        "SELECT site FROM intervals WHERE device = 'ct-south'",
        "SELECT site FROM (SELECT * FROM devices UNION ALL SELECT * FROM devices) x WHERE site = 'south'",
        "SELECT d.site FROM sites s, LATERAL (SELECT * FROM devices WHERE site <> s.site) d",
        "WITH RECURSIVE x AS (SELECT site FROM devices UNION SELECT site FROM sites) SELECT * FROM x WHERE site = 'south'",
        "SELECT site FROM medfleet.public.devices WHERE site = 'south'",
        "SELECT site FROM facts WHERE subject = 'ct-south'",
        "SELECT subject FROM verdicts WHERE subject = 'ct-south'",
        "SELECT alert FROM alert_steps WHERE alert <> 'alert of north'",
        "SELECT device FROM alerts WHERE device = 'ct-south'",
    ] {
        assert_eq!(column(&ann, sql).await, [""; 0], "{sql}");
    }
    let counted = column(&ann, "SELECT max(site) FROM rollup_quarter").await;
    assert_eq!(counted, ["north"]);
    for sql in ["SELECT * FROM other.public.devices", "SELECT * FROM main.devices", "SELECT * FROM pg_temp.devices"] {
        assert_eq!(refused(&ann, sql).await.0, "42P01", "{sql}");
    }
}

#[tokio::test]
async fn the_catalogue_tells_of_the_views_and_of_nothing_else() {
    let rig = Rig::open().await;
    let ann = rig.client("ann").await;
    let tables = column(&ann, "SELECT relname FROM pg_catalog.pg_class ORDER BY 1").await;
    let listed = column(&ann, "SELECT table_name FROM information_schema.tables ORDER BY 1").await;
    assert_eq!(tables, listed);
    assert!(!tables.iter().any(|name| ["cuts", "heads", "every_verdict"].contains(&name.as_str())), "{tables:?}");
    assert_eq!(column(&ann, "SELECT datname FROM pg_database ORDER BY 1").await, ["medfleet", "postgres"]);
    assert_eq!(column(&ann, "SELECT rolname FROM pg_roles").await, [""; 0]);
    let weights = column(&ann, "SELECT column_name FROM information_schema.columns WHERE column_name = 'weight'").await;
    assert_eq!(weights, [""; 0]);
}

#[tokio::test]
async fn a_user_who_was_removed_or_narrowed_is_so_at_the_next_login() {
    let rig = Rig::open().await;
    rig.users
        .write("leader", &medfleet_sql::Scope::sites(["south".to_owned()]).unwrap(), super::rig::PASSWORD)
        .unwrap();
    let leader = rig.client("leader").await;
    assert_eq!(column(&leader, "SELECT site FROM devices").await, ["south"]);
}
