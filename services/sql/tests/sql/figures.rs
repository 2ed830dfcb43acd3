//! What the views and functions say, and that every statement says it of one cut.

use std::time::{Duration, SystemTime};

use super::rig::{HOUR, LATE, MONDAY, Rig, SECOND, column, refused, told};

#[tokio::test]
async fn corrections_are_netted_and_uptime_adds_up() {
    let rig = Rig::open().await;
    let ann = rig.client("ann").await;
    let sums = "SELECT condition, count(*) FROM intervals GROUP BY condition ORDER BY 1";
    let rows: Vec<_> = told(&ann, sums).await.iter().map(|row| format!("{:?} {:?}", row.get(0), row.get(1))).collect();
    assert_eq!(rows, ["Some(\"standby\") Some(\"22\")", "Some(\"unscheduled_down\") Some(\"1\")"]);
    for call in ["uptime('2026-03-02', '2026-03-03')", "uptime_by_device('2026-03-02', '2026-03-03')"] {
        let sql = format!(
            "SELECT registered_seconds, known_seconds, up_seconds, unscheduled_down_seconds, uptime, coverage, worst, \
             best, base_registered_seconds, base_down_seconds, devices, monitored, cut, period_from, period_until FROM {call}"
        );
        let row = told(&ann, &sql).await.remove(0);
        let number = |place: usize| row.get(place).unwrap().parse::<f64>().unwrap();
        assert_eq!([number(0), number(1), number(2), number(3)], [86_400.0, 82_800.0, 79_200.0, 3_600.0], "{call}");
        let near = |found: f64, wanted: f64| (found - wanted).abs() < 1e-12;
        assert!(near(number(4), 22.0 / 23.0) && near(number(5), 23.0 / 24.0), "{call}");
        assert!(near(number(6), 22.0 / 24.0) && near(number(7), 23.0 / 24.0), "{call}");
        assert_eq!([number(8), number(9)], [9.0 * 3_600.0, 3_600.0], "{call}");
        assert_eq!([number(10), number(11), number(12)], [1.0, 1.0, 1.0], "{call}");
        assert_eq!(row.get(13), Some("2026-03-02 00:00:00.000000+00"), "{call}");
    }
}

#[tokio::test]
async fn functions_take_names_instants_and_parameters() {
    let rig = Rig::open().await;
    let ann = rig.client("ann").await;
    let same = [
        "SELECT up_seconds FROM uptime('2026-03-02', '2026-03-03')",
        "SELECT up_seconds FROM uptime(until => '2026-03-03', since => '2026-03-02')",
        "SELECT up_seconds FROM uptime('2026-03-02T00:07:00Z', '2026-03-03T00:00:59.999Z')",
        "SELECT up_seconds FROM uptime(DATE '2026-03-02', TIMESTAMP '2026-03-03 00:00:00')",
        "SELECT up_seconds FROM public.uptime('2026-03-02', '2026-03-03') AS u",
    ];
    for sql in same {
        assert_eq!(column(&ann, sql).await, ["79200.0"], "{sql}");
    }
    let since = SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(MONDAY).unwrap());
    let sql = "SELECT up_seconds FROM uptime_by_device($1, $2) WHERE kind = $3 AND known_seconds > $4";
    let prepared = ann.prepare(sql).await.unwrap();
    let rows = ann.query(&prepared, &[&"2026-03-02", &"2026-03-03", &"ct", &1.0_f64]).await.unwrap();
    assert_eq!(rows[0].get::<_, f64>(0), 79_200.0);
    let typed = [tokio_postgres::types::Type::TIMESTAMPTZ, tokio_postgres::types::Type::TIMESTAMPTZ];
    let prepared = ann.prepare_typed("SELECT up_seconds FROM uptime($1, $2)", &typed).await.unwrap();
    let until = since + Duration::from_micros(u64::try_from(24 * HOUR).unwrap());
    let rows = ann.query(&prepared, &[&since, &until]).await.unwrap();
    assert_eq!(rows[0].get::<_, f64>(0), 79_200.0);
}

#[tokio::test]
async fn a_transaction_holds_its_cut_and_a_statement_takes_the_newest() {
    let rig = Rig::open().await;
    let (ann, other) = (rig.client("ann").await, rig.client("ann").await);
    let cut = "SELECT cut, lag_records FROM cut_info";
    ann.simple_query("BEGIN").await.unwrap();
    assert_eq!(column(&ann, cut).await, ["1"]);
    let prepared = other.prepare("SELECT cut FROM cut_info").await.unwrap();
    rig.flush(&["north", "south"], 2).await;
    let newest = async {
        while column(&other, cut).await != ["2"] {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), newest).await.expect("the second cut is seen");
    assert_eq!(other.query(&prepared, &[]).await.unwrap()[0].get::<_, i64>(0), 2);
    assert_eq!(column(&ann, cut).await, ["1"]);
    assert_eq!(column(&ann, "SELECT cut FROM uptime('2026-03-02', '2026-03-03')").await, ["1"]);
    ann.simple_query("COMMIT").await.unwrap();
    assert_eq!(column(&ann, cut).await, ["2"]);
    let row = told(&ann, cut).await.remove(0);
    assert_eq!(row.get(1), Some("3"));
}

#[tokio::test]
async fn a_failed_transaction_waits_for_its_rollback() {
    let rig = Rig::open().await;
    let ann = rig.client("ann").await;
    ann.simple_query("BEGIN").await.unwrap();
    assert_eq!(refused(&ann, "SELECT nothing FROM devices").await.0, "42703");
    assert_eq!(refused(&ann, "SELECT 1").await.0, "25P02");
    assert!(ann.query("SELECT 1", &[]).await.is_err());
    ann.simple_query("ROLLBACK").await.unwrap();
    assert_eq!(column(&ann, "SELECT 1").await, ["1"]);
}

#[tokio::test]
async fn about_tells_what_one_row_of_everything_means() {
    let rig = Rig::open().await;
    let ann = rig.client("ann").await;
    let named = column(&ann, "SELECT name FROM about WHERE one_row <> '' ORDER BY name").await;
    let views = column(&ann, "SELECT table_name FROM information_schema.tables WHERE table_name <> 'about'").await;
    assert!(views.iter().all(|view| named.contains(view)), "{named:?}");
    assert!(named.contains(&"uptime".to_owned()));
    let usage = column(&ann, "SELECT usage FROM about WHERE name = 'timeline'").await;
    assert_eq!(usage, ["SELECT * FROM timeline(device, since, until, [as_of], [at])"]);
}

#[tokio::test]
async fn as_of_tells_what_was_known_and_now_tells_what_is() {
    let rig = Rig::open().await;
    rig.hear_late(&["north"], 2).await;
    let ann = rig.client("ann").await;
    let instant = |micros: i64| format!("instant({micros})");
    let shown = column(&ann, &format!("SELECT {}::text", instant(LATE - SECOND))).await.remove(0);
    let (before, after) = (shown.clone(), shown.replace(":09:59", ":10:01"));
    assert_ne!(before, after, "{shown}");
    let period = "'2026-03-02', '2026-03-03'";
    for call in [format!("uptime({period}"), format!("uptime_by_device({period}")] {
        let down = |as_of: &str| format!("SELECT sum(unscheduled_down_seconds) FROM {call}{as_of})");
        assert_eq!(column(&ann, &down("")).await, ["7200.0"], "{call}");
        assert_eq!(column(&ann, &down(&format!(", as_of => '{before}'"))).await, ["3600.0"], "{call}");
        assert_eq!(column(&ann, &down(&format!(", as_of => '{after}'"))).await, ["7200.0"], "{call}");
    }
    let at_five = |as_of: &str| {
        format!("SELECT condition FROM timeline('ct-north', '2026-03-02T05:00:00Z', '2026-03-02T06:00:00Z'{as_of})")
    };
    assert_eq!(column(&ann, &at_five("")).await, ["unscheduled_down"]);
    assert_eq!(column(&ann, &at_five(&format!(", as_of => '{before}'"))).await, ["standby"]);
}

#[tokio::test]
async fn at_tells_what_had_happened_and_stands_in_every_row_beside_cut_and_lag() {
    let rig = Rig::open().await;
    rig.hear_late(&["north"], 2).await;
    let ann = rig.client("ann").await;
    let (period, half) = ("'2026-03-02', '2026-03-03'", "2026-03-02 10:30:00.000000+00");
    for call in ["uptime", "uptime_by_device", "scorecards", "reliability"] {
        let sql = format!(
            "SELECT unscheduled_down_seconds, period_until, at, as_of, cut, lag_records FROM {call}({period}, at => '{half}')"
        );
        let row = told(&ann, &sql).await.remove(0);
        // An hour that was told late, and half of the other.
        let wanted = [Some("5400.0"), Some(half), Some(half), None, Some("2")];
        assert_eq!([0, 1, 2, 3, 4].map(|place| row.get(place)), wanted, "{call}");
    }
    let open = format!("SELECT ended_at, down_seconds FROM failures({period}, at => '{half}')");
    let row = told(&ann, &open).await.remove(0);
    assert_eq!((row.get(0), row.get(1)), (None, Some("5400.0")), "nobody knew when it would end");
    let before = column(&ann, &format!("SELECT instant({})::text", LATE - SECOND)).await.remove(0);
    let both = format!("SELECT unscheduled_down_seconds FROM uptime({period}, as_of => '{before}', at => '{half}')");
    assert_eq!(column(&ann, &both).await, ["1800.0"], "what had happened by then, as it was known");
    let last = format!("SELECT max(until_at) FROM timeline('ct-north', {period}, at => '{half}')");
    assert_eq!(column(&ann, &last).await, [half]);
    let origin = ["period_from", "period_until", "as_of", "at", "cut", "cut_made_at", "lag_records"];
    for row in told(&ann, "SELECT name, usage FROM about WHERE usage LIKE '%[at])%'").await {
        let (name, usage) = (row.get(0).unwrap(), row.get(1).unwrap());
        let needs = if name == "timeline" { "'ct-north', " } else { "" };
        let has_period = usage.contains("since");
        let (asked, first) = if has_period { (format!("{needs}{period}"), 0) } else { (String::new(), 2) };
        let described = ann.prepare(&format!("SELECT * FROM {name}({asked})")).await.unwrap();
        // What happens at an instant has a column `at` of its own.
        let names = described.columns().iter().map(|column| column.name().trim_start_matches("asked_"));
        let names: Vec<&str> = names.collect();
        assert!(names.ends_with(&origin[first..]), "{name}: {names:?}");
    }
}

#[tokio::test]
async fn a_timeline_has_no_hole_and_is_cut_at_its_edges() {
    let rig = Rig::open().await;
    let ann = rig.client("ann").await;
    let asked = "timeline('ct-north', '2026-03-02T09:30:00Z', '2026-03-03T00:00:00Z')";
    let rows = told(&ann, &format!("SELECT from_at, until_at, condition, origin FROM {asked}")).await;
    let hour = |at: &str| format!("{at}:00.000000+00");
    let (first, last) = (&rows[0], &rows[rows.len() - 1]);
    assert_eq!(first.get(0), Some(&*hour("2026-03-02 09:30")), "the stretch that began before is there");
    assert_eq!((first.get(2), rows[1].get(2)), (Some("standby"), Some("unscheduled_down")));
    assert_eq!((last.get(0), last.get(1)), (Some(&*hour("2026-03-02 23:00")), Some(&*hour("2026-03-03 00:00"))));
    assert_eq!((last.get(2), last.get(3)), (Some("unknown"), Some("gap")));
    assert!(rows.windows(2).all(|pair| pair[0].get(1) == pair[1].get(0)), "each begins where the one before ends");
}

#[tokio::test]
async fn the_views_of_the_kpi_room_are_functions_and_know_what_was_known() {
    let rig = Rig::open().await;
    rig.hear_late(&["north"], 2).await;
    let ann = rig.client("ann").await;
    let period = "'2026-03-02', '2026-03-03'";
    let failure =
        told(&ann, &format!("SELECT class, work_order, down_seconds, onset_at FROM failures({period})")).await;
    let seen: Vec<_> = failure.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    // An order opened within a day is about both hours.
    assert_eq!(seen, [(Some("failure"), Some("wo-1"), Some("7200.0"))]);
    assert_eq!(failure[0].get(3), Some("2026-03-02 05:00:00.000000+00"));
    let before = column(&ann, &format!("SELECT instant({})::text", LATE - SECOND)).await.remove(0);
    let down = |as_of: &str| {
        format!("SELECT unscheduled_down_seconds FROM reliability({period}{as_of}) WHERE kind = 'ct' AND failures > 0")
    };
    assert_eq!(column(&ann, &down("")).await, ["7200.0"]);
    assert_eq!(column(&ann, &down(&format!(", as_of => '{before}'"))).await, ["3600.0"]);
    let counted = column(&ann, &format!("SELECT count(*) FROM reliability({period}) WHERE kind <> 'ct'")).await;
    assert_eq!(counted, ["0"], "a filter reaches the rows");
    let dependent = "equipment_dependent_uptime, supplier_dependent_uptime, base_uptime";
    let row = told(&ann, &format!("SELECT {dependent} FROM uptime({period})")).await.remove(0);
    assert_eq!((row.get(0), row.get(1)), (row.get(2), row.get(2)), "nobody waited");
    let late = format!("SELECT up_before_seconds - up_after_seconds FROM amendments({period}, closed => '2026-03-03')");
    assert_eq!(column(&ann, &late).await, ["3600.0"], "what came late is listed with its size");
}

#[tokio::test]
async fn the_tables_of_facts_are_functions_of_what_was_known_and_of_what_had_happened() {
    let rig = Rig::open().await;
    rig.hear_late(&["north"], 2).await;
    let ann = rig.client("ann").await;
    let before = column(&ann, &format!("SELECT instant({})::text", LATE - SECOND)).await.remove(0);
    let half = "2026-03-02 10:30:00.000000+00";
    let counted =
        async |table: &str, rest: &str| column(&ann, &format!("SELECT count(*) FROM {table} {rest}")).await.remove(0);
    for table in ["calendars", "components", "device_now", "device_versions", "devices", "errors", "facts", "intervals"]
    {
        assert_eq!(counted(&format!("{table}()"), "").await, counted(table, "").await, "{table}");
    }
    for table in
        ["maintenance", "orders", "rollup_day", "rollup_quarter", "scores", "scores_now", "sites", "usage", "verdicts"]
    {
        assert_eq!(counted(&format!("{table}()"), "").await, counted(table, "").await, "{table}");
    }
    let down = "WHERE condition = 'unscheduled_down'";
    assert_eq!(counted("intervals", down).await, "2");
    assert_eq!(counted(&format!("intervals(as_of => '{before}')"), down).await, "1", "an hour came late");
    let cut = format!("intervals(at => '{half}')");
    let ends = column(&ann, &format!("SELECT max(until_at) FROM {cut} {down}")).await;
    assert_eq!(ends, [half], "the other had not come to its end");
    assert_eq!(column(&ann, &format!("SELECT DISTINCT at FROM {cut}")).await, [half], "every row says what was asked");
    let (happened, errors) = (format!("orders(at => '{half}')"), "errors(at => '2026-03-02T09:00:00Z')");
    assert_eq!(
        (counted("orders", "").await, counted(&happened, "").await),
        ("3".into(), "2".into()),
        "it was still open"
    );
    assert_eq!((counted("errors", "").await, counted(errors, "").await), ("1".into(), "0".into()));
    let asked = told(&ann, &format!("SELECT at, asked_at, as_of, cut FROM {happened} ORDER BY at")).await.remove(0);
    assert_eq!(
        [asked.get(0), asked.get(1)],
        [Some("2026-03-02 10:00:00.000000+00"), Some(half)],
        "when it happened stays"
    );
    let sum =
        async |table: &str| column(&ann, &format!("SELECT sum(micros) / 1000000 FROM {table} {down}")).await.remove(0);
    for rollup in ["rollup_day", "rollup_quarter"] {
        assert_eq!(sum(rollup).await, "7200", "{rollup}");
        assert_eq!(sum(&format!("{rollup}(as_of => '{before}')")).await, "3600", "{rollup}");
        let quarter = "2026-03-02 10:20:00+00";
        assert_eq!(sum(&format!("{rollup}(at => '{quarter}')")).await, "4800", "{rollup}: an hour and twenty minutes");
        assert_eq!(sum(&format!("{rollup}(as_of => '{before}', at => '{quarter}')")).await, "1200", "{rollup}");
    }
    let then = "2026-02-01";
    assert_eq!(counted(&format!("devices(at => '{then}')"), "").await, "0", "it was not registered yet");
    assert_eq!(counted(&format!("device_now(at => '{then}')"), "").await, "0");
    assert_eq!(counted(&format!("sites(at => '{then}')"), "").await, "1", "what a site is called is knowledge");
}

#[tokio::test]
async fn an_agent_shows_what_its_newest_heartbeat_said() {
    let rig = Rig::open().await;
    let ann = rig.client("ann").await;
    assert_eq!(column(&ann, "SELECT heard_at FROM agents").await, ["2026-03-02 23:00:00.000000+00"]);
    let sql = "SELECT agent, accepted_facts, receipted_facts, waiting_facts, oldest_waiting_at FROM agents";
    let row = told(&ann, sql).await.remove(0);
    let shown: Vec<_> = (0..row.len()).map(|place| row.get(place)).collect();
    assert_eq!(shown, [Some("edge-north"), Some("80"), Some("77"), Some("3"), None]);
}

#[tokio::test]
async fn a_subquery_among_the_columns_says_what_it_finds() {
    let rig = Rig::open().await;
    let ann = rig.client("ann").await;
    for subquery in [
        "SELECT count(s.site) FROM sites s WHERE s.site = d.site",
        "SELECT count(sites.site) FROM sites",
        "SELECT max(s.site) FROM sites s WHERE s.site = d.site",
    ] {
        let found = column(&ann, &format!("SELECT ({subquery}) AS found FROM devices d")).await;
        assert_eq!(found, [if subquery.contains("max") { "north" } else { "1" }], "{subquery}");
    }
    let prepared = ann.prepare("SELECT (SELECT count(*) FROM devices WHERE site = $1) AS found").await.unwrap();
    assert_eq!(ann.query(&prepared, &[&"north"]).await.unwrap()[0].get::<_, i64>(0), 1);
}
