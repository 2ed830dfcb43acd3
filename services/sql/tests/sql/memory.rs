//! What a statement makes is bounded in memory: each of these is worth many gigabytes, is refused before it takes them, and the
//! process grows by less than [`GROWTH_MAX_MEBIBYTES`]. What people ask, and what our own views take, is answered.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Instant;

use medfleet_lake::rows::IntervalRow;
use tokio_postgres::Client;

use super::rig::{DAY, HOUR, MONDAY, Rig, batch, code_of, column, refused, registered, text, told};

/// A connection may hold 256 MiB; the rest is the batch that is in work, copies of it and what the allocator keeps.
const GROWTH_MAX_MEBIBYTES: usize = 512;
const ENDLESS: &str = "generate_series(1, 900000000)";

/// `of` for each number, as so many columns.
fn columns(of: &str, count: usize) -> String {
    let column = |number: usize| format!("{} AS c{number}", of.replace("{n}", &number.to_string()));
    (0..count).map(column).collect::<Vec<_>>().join(", ")
}

/// What is tried, what must come back, and a word that the refusal says.
fn greedy() -> Vec<(String, &'static str, &'static str)> {
    let long = "x".repeat(100_000);
    let short = &long[..900];
    let doubled = |of: &str| {
        format!(
            "WITH RECURSIVE x AS (SELECT '12345678' AS t UNION ALL SELECT {of} FROM x) SELECT max(length(t)) FROM x"
        )
    };
    let wide = format!("(SELECT concat('{long}', value) AS t, value FROM {ENDLESS}) AS a");
    let same = format!("(SELECT '{long}' AS t, value FROM {ENDLESS}) AS a");
    let made = "repeat(CAST(value AS VARCHAR), 100000)";
    let gathered = "(SELECT string_agg(CAST(value AS VARCHAR), ',') AS t FROM generate_series(1, 99999)) AS b";
    let mut all = vec![
        // One call, constant or not, wherever it stands.
        ("SELECT repeat('a', 1000000000)".to_owned(), "53200", "repeat()"),
        ("SELECT length(repeat('a', 1000000000))".to_owned(), "53200", "repeat()"),
        ("SELECT replace(repeat('a', 1000000), 'a', repeat('b', 1000))".to_owned(), "53200", "repeat()"),
        (format!("SELECT length(replace('{long}', 'x', '{long}'))"), "53200", "replace()"),
        (format!("SELECT length(regexp_replace('{long}', '.', '{long}', 'g'))"), "53200", "regexp_replace()"),
        (format!("SELECT regexp_match('{long}', '{}x*{}')", "(".repeat(90), ")".repeat(90)), "53200", "regexp_match()"),
        (format!("SELECT * FROM generate_series(1, length(replace('{long}', 'x', '{long}')))"), "42000", ""),
        (format!("SELECT {made} FROM {ENDLESS}"), "53200", "repeat()"),
        (format!("SELECT rpad(CAST(value AS VARCHAR), 100000) FROM {ENDLESS}"), "53200", "rpad()"),
        (format!("SELECT max({made}) FROM {ENDLESS}"), "53200", "repeat()"),
        (format!("SELECT count(*) FROM {ENDLESS} GROUP BY {made}"), "53200", "repeat()"),
        (format!("SELECT value FROM {ENDLESS} ORDER BY {made}"), "53200", "repeat()"),
        (format!("SELECT count(*) FROM {ENDLESS} WHERE {made} LIKE '%x'"), "53200", "repeat()"),
        (format!("SELECT count(*) FROM {ENDLESS} AS a JOIN devices ON repeat(CAST(a.value AS VARCHAR), 100000) = device"), "53200", "repeat()"),
        (format!("SELECT coalesce(NULL, {made}) FROM {ENDLESS}"), "53200", "repeat()"),
        (format!("SELECT CASE WHEN value > 3 THEN {made} ELSE 'x' END FROM {ENDLESS}"), "53200", "repeat()"),
        (format!("SELECT repeat(t, 1000000) FROM (SELECT 'a' AS t, value FROM {ENDLESS}) AS b"), "53200", "repeat()"),
        (format!("SELECT to_char(to_timestamp(value), '{}') FROM {ENDLESS}", "%c".repeat(9_000)), "53200", "to_char()"),
        // Each time twice as much.
        (doubled("t || t"), "53200", "||"),
        (doubled("concat(t, t)"), "53200", "concat()"),
        (doubled("concat_ws(t, t, t)"), "53200", ""),
        (doubled("replace(t, '1', t)"), "53200", "replace()"),
        (doubled("encode(arrow_cast(t, 'Binary'), 'hex')"), "42883", "arrow_cast"),
        (doubled("array_to_string(make_array(t, t), t)"), "53200", "array_to_string()"),
        (
            "WITH RECURSIVE x AS (SELECT make_array(1) AS t UNION ALL SELECT array_concat(t, t) FROM x) SELECT count(t) FROM x".to_owned(),
            "53200",
            "array_concat()",
        ),
        // A little of everything, in many columns.
        (format!("SELECT {} FROM {wide}", columns("concat(t, {n})", 300)), "53200", "concat()"),
        (format!("SELECT {} FROM {wide}", columns("CASE WHEN value > {n} THEN t END", 300)), "53200", ""),
        (format!("SELECT {} FROM {same}", columns("CASE WHEN value > {n} THEN t END", 300)), "53200", ""),
        (format!("SELECT {} FROM {wide}", columns("substr(t, {n})", 300)), "53200", ""),
        (format!("SELECT '{long}', value FROM {ENDLESS}"), "53200", "a value"),
        (format!("SELECT {} FROM {ENDLESS}", columns("value", 2_000)), "54011", "2000 columns"),
        // What is gathered, and what is written beside it.
        (format!("SELECT string_agg(CAST(value AS VARCHAR), '{short}') FROM {ENDLESS}"), "53200", ""),
        (format!("SELECT array_agg(concat('{short}', value)) FROM {ENDLESS}"), "53200", ""),
        (format!("SELECT length(replace(t, ',', t)) FROM {gathered}"), "53200", "replace()"),
        (format!("SELECT max(length(b.t) + a.value) FROM {gathered} CROSS JOIN {ENDLESS} AS a"), "53200", "joined"),
        (format!("SELECT value, (SELECT t FROM {gathered}) FROM {ENDLESS}"), "53200", "joined"),
        (
            format!(
                "SELECT {} FROM (SELECT {} FROM (SELECT '{long}' AS t) AS b) AS a JOIN {ENDLESS} AS s ON c8 <> CAST(value AS VARCHAR)",
                columns("max(c{n})", 9),
                columns("concat(t, {n})", 9)
            ),
            "53200",
            "",
        ),
        (
            format!("SELECT unnest(list), t FROM (SELECT string_to_array(t, NULL) AS list, t FROM {wide}) AS b"),
            "53200",
            "",
        ),
        // Windows.
        (format!("SELECT array_agg(value) OVER (ORDER BY value) FROM {ENDLESS}"), "0A000", "array_agg"),
        (format!("SELECT max(s) FROM (SELECT sum(value) OVER () AS s FROM {ENDLESS}) AS a"), "53200", "window"),
        (format!("SELECT max(s) FROM (SELECT count(*) OVER () AS s FROM {ENDLESS}) AS a"), "53200", "window"),
        (
            format!("SELECT max(s) FROM (SELECT max(t) OVER (ORDER BY value ROWS BETWEEN 900000000 PRECEDING AND CURRENT ROW) AS s FROM (SELECT concat('{short}', value) AS t, value FROM {ENDLESS}) AS b) AS a"),
            "53200",
            "",
        ),
        (format!("SELECT max(s) FROM (SELECT first_value('{long}') OVER () AS s FROM {ENDLESS}) AS a"), "0A000", "first_value"),
        (format!("SELECT max(length(s)) FROM (SELECT lag(t) OVER () AS s FROM {wide}) AS a"), "53200", ""),
    ];
    all.push((format!("DECLARE greedy CURSOR FOR SELECT {made} FROM {ENDLESS}"), "53200", "repeat()"));
    all
}

/// Alone in a process of its own, for other tests grow too.
#[test]
fn greedy_statements_are_refused_and_take_no_memory() {
    let alone = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["memory::greedy_statements_alone", "--exact", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&alone.stdout) + String::from_utf8_lossy(&alone.stderr);
    println!("{told}");
    assert!(alone.status.success() && told.contains("1 passed"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures the process: run by greedy_statements_are_refused_and_take_no_memory"]
async fn greedy_statements_alone() {
    let rig = Rig::open().await;
    let client = rig.client("ann").await;
    assert_eq!(column(&client, "SELECT count(*) FROM devices").await, ["1"]);
    let (mut wrong, before) = (Vec::new(), resident("VmRSS"));
    for (sql, wanted, word) in greedy() {
        let (begun, shown) = (Instant::now(), shown(&sql));
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        let (code, message) = attempt(&client, &sql).await;
        let grown = resident("VmHWM").saturating_sub(before);
        println!("{code} after {:.1} s, {grown} MiB: {shown}: {message}", begun.elapsed().as_secs_f64());
        if code != wanted || !message.contains(word) || grown > GROWTH_MAX_MEBIBYTES {
            wrong.push(format!("{shown}: {code} {message}, {grown} MiB; wanted {wanted}, `{word}`"));
        }
        let _ = client.simple_query("ROLLBACK").await;
        assert_eq!(column(&client, "SELECT count(*) FROM devices").await, ["1"], "after {shown}");
    }
    let long = "x".repeat(200_000);
    for sql in ["SELECT repeat($1, 1000000000)", &format!("SELECT $1::text, value FROM {ENDLESS}")] {
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        let code = client.query(sql, &[&long]).await.map_or_else(|error| code_of(&error).0, |_| "rows".to_owned());
        let grown = resident("VmHWM").saturating_sub(before);
        println!("{code}, {grown} MiB: {sql} with $1");
        if code != "53200" || grown > GROWTH_MAX_MEBIBYTES {
            wrong.push(format!("{sql} with $1: {code}, {grown} MiB"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn attempt(client: &Client, sql: &str) -> (String, String) {
    if sql.starts_with("DECLARE") {
        client.batch_execute("BEGIN").await.unwrap();
        client.batch_execute(sql).await.unwrap();
        return refused(client, "FETCH ALL FROM greedy").await;
    }
    match client.simple_query(sql).await {
        Ok(rows) => (format!("{} rows", rows.len()), String::new()),
        Err(error) => code_of(&error),
    }
}

/// The ends of a text.
fn shown(sql: &str) -> String {
    let (first, last) = (sql.chars().take(60), sql.chars().skip(sql.len().saturating_sub(60).max(60)));
    first.collect::<String>() + " … " + &last.collect::<String>()
}

fn resident(line: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let told = status.lines().find_map(|told| told.strip_prefix(line)?.strip_prefix(':')?.trim().strip_suffix(" kB"));
    told.unwrap().parse::<usize>().unwrap() / 1_024
}

#[tokio::test]
async fn what_people_make_of_texts_and_lists_is_answered() {
    let rig = Rig::open().await;
    let client = rig.client("leader").await;
    for (sql, wanted) in [
        ("SELECT lpad('7', 3, '0') || '-' || upper('ct') || repeat('!', 2)", "007-CT!!"),
        ("SELECT string_agg(device, ', ' ORDER BY device) FROM devices", "ct-north, ct-south"),
        ("SELECT array_to_string(array_agg(site ORDER BY site), '+') FROM devices", "north+south"),
        ("SELECT max(t) FROM (SELECT unnest(make_array(site, device)) AS t FROM devices) AS a", "south"),
        (
            "SELECT CASE WHEN site = 'north' THEN 'up there' ELSE coalesce(NULL, 'down') END FROM devices ORDER BY 1",
            "down",
        ),
        ("SELECT regexp_replace(device, '^(..)-(.*)$', '\\2 \\1') FROM devices ORDER BY 1", "north ct"),
        (
            "SELECT concat_ws('/', d.site, s.label) FROM devices AS d JOIN (SELECT site, concat(site, '!') AS label FROM sites) AS s ON s.site = d.site ORDER BY 1",
            "north/north!",
        ),
        ("SELECT (SELECT string_agg(site, ',' ORDER BY site) FROM sites) FROM devices", "north,south"),
        (
            "SELECT site FROM devices AS d WHERE (SELECT max(concat(s.site, '!')) FROM sites AS s WHERE s.site = d.site) = 'north!'",
            "north",
        ),
        (
            "SELECT l.t FROM sites AS s, LATERAL (SELECT concat(d.device, '?') AS t FROM devices AS d WHERE d.site = s.site) AS l ORDER BY 1",
            "ct-north?",
        ),
        ("SELECT lag(device) OVER (ORDER BY device) FROM devices ORDER BY device DESC", "ct-north"),
        ("SELECT count(*) OVER () FROM devices", "2"),
        (
            "WITH RECURSIVE x AS (SELECT 'a' AS t UNION ALL SELECT t || 'a' FROM x WHERE length(t) < 5) SELECT max(t) FROM x",
            "aaaaa",
        ),
        ("SELECT lower(site) FROM devices WHERE upper(site) = 'NORTH' GROUP BY lower(site)", "north"),
        (
            "SELECT length('a text that is longer than what may stand in every row of an answer uncounted') + value FROM generate_series(1, 2) ORDER BY 1",
            "78",
        ),
    ] {
        assert_eq!(told(&client, sql).await[0].get(0).unwrap_or("NULL"), wanted, "{sql}");
    }
    let texts = column(&client, "SELECT repeat(CAST(value AS VARCHAR), 20000) FROM generate_series(1, 1000)").await;
    assert_eq!(texts.iter().map(String::len).sum::<usize>(), 20_000 * 2_893);
}

/// A fleet that was put into service within the period: all its intervals are split into quarter-hours.
#[tokio::test]
async fn our_own_functions_answer_over_four_weeks() {
    const WEEKS: i64 = 4;
    const DEVICES: i64 = 60;
    let rig = Rig::open().await;
    let since = MONDAY - 7 * WEEKS * DAY;
    let mut rows: BTreeMap<&'static str, Vec<_>> = BTreeMap::new();
    for number in 0..DEVICES {
        let device = format!("ct-{number}");
        for (table, rows_of) in registered("west", &device) {
            if table == "devices" || number == 0 {
                rows.entry(table).or_default().push(rows_of);
            }
        }
        let hour = |hour: i64| {
            let at = since + hour * HOUR;
            IntervalRow {
                device: text(&device),
                site: text("west"),
                kind: text("ct"),
                day: medfleet_lake::Day(i32::try_from(at / DAY).unwrap()),
                from_at: medfleet_lake::UtcMicros(at),
                until_at: medfleet_lake::UtcMicros(at + HOUR),
                condition: if hour % 3 == 0 { "productive" } else { "standby" }.into(),
                degradation: "none".into(),
                source_kind: "device".into(),
                weight: 1,
                ..IntervalRow::default()
            }
        };
        let hours: Vec<IntervalRow> = (0..24 * 7 * WEEKS).map(hour).collect();
        rows.entry("intervals").or_default().push(batch(&hours));
    }
    rig.flush_rows(rows, 2).await;
    let client = rig.client("leader").await;
    let (since, until) = ("2026-02-02", "2026-03-02");
    let mut told = String::new();
    for call in ["uptime_by_device", "concurrency", "pieces", "scorecards", "failures"] {
        for at in ["", ", at => '2026-02-28'", ", as_of => '2026-02-28'"] {
            let sql = format!("SELECT count(*) FROM {call}('{since}', '{until}'{at})");
            if let Err(error) = client.simple_query(&sql).await {
                writeln!(told, "{sql}: {:?}", code_of(&error)).unwrap();
            }
        }
    }
    assert!(told.is_empty(), "{told}");
    assert_eq!(
        column(
            &client,
            &format!(
                "SELECT site FROM concurrency('{since}', '{until}', at => '2026-03-01') ORDER BY site DESC LIMIT 1"
            )
        )
        .await,
        ["west"]
    );
}
