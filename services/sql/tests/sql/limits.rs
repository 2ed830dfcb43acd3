//! Every limit: reached, refused with its value and its SQLSTATE, and over for the next statement.

use std::time::{Duration, Instant};

use medfleet_sql::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::rig::{Rig, code_of, column, refused, told};

const ENDLESS: &[&str] = &[
    "WITH RECURSIVE x AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM x) SELECT count(*) FROM x",
    "SELECT count(*) FROM generate_series(1, 9000000000000) a CROSS JOIN generate_series(1, 9000000000000) b",
    "SELECT sum(sin(a.value)) FROM generate_series(1, 900000000000) a",
];

fn quick() -> Limits {
    Limits { statement_milliseconds: 400, ..Limits::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_statement_ends_with_its_time_in_both_protocols() {
    let rig = Rig::with(quick()).await;
    let client = rig.client("ann").await;
    for sql in ENDLESS {
        let begun = Instant::now();
        let (code, message) = refused(&client, sql).await;
        assert_eq!((code.as_str(), message.contains("400 ms")), ("57014", true), "{sql}: {message}");
        let error = client.query(*sql, &[]).await.unwrap_err();
        assert_eq!(code_of(&error).0, "57014", "{sql}: {error:?}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{sql}: {:?}", begun.elapsed());
        assert_eq!(column(&client, "SELECT 1").await, ["1"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fetching_is_within_the_time_too_and_a_shorter_time_can_be_asked() {
    let rig = Rig::open().await;
    let client = rig.client("ann").await;
    client.simple_query("SET statement_timeout = '300ms'").await.unwrap();
    assert_eq!(column(&client, "SHOW statement_timeout").await, ["300ms"]);
    // Rows flow from the first moment on: only a limit on fetching ends this.
    let (code, _) = refused(&client, "SELECT sin(value) FROM generate_series(1, 900000000000)").await;
    assert!(code == "57014" || code == "54000", "{code}");
    client.simple_query("SET statement_timeout = 0").await.unwrap();
    assert_eq!(column(&client, "SHOW statement_timeout").await, ["30000ms"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_request_ends_the_statement_it_means() {
    let rig = Rig::open().await;
    let client = std::sync::Arc::new(rig.client("ann").await);
    let token = client.cancel_token();
    let asked = std::sync::Arc::clone(&client);
    let running = tokio::spawn(async move { asked.simple_query(ENDLESS[1]).await });
    rig.until_something_runs().await;
    token.cancel_query(tokio_postgres::NoTls).await.unwrap();
    let error = running.await.unwrap().unwrap_err();
    let (code, message) = code_of(&error);
    assert_eq!((code.as_str(), message.contains("user request")), ("57014", true), "{message}");
    assert_eq!(column(&client, "SELECT 1").await, ["1"]);
}

#[tokio::test]
async fn a_huge_answer_is_refused_whole_and_never_cut_short() {
    let rig = Rig::with(Limits { rows_max: 1_000, answer_mebibytes: 1, ..Limits::default() }).await;
    let client = rig.client("ann").await;
    assert_eq!(told(&client, "SELECT * FROM generate_series(1, 1000)").await.len(), 1_000);
    let (code, message) = refused(&client, "SELECT * FROM generate_series(1, 1001)").await;
    assert_eq!((code.as_str(), message.as_str()), ("54000", "the answer has more than 1000 rows"));
    let error = client.query("SELECT * FROM generate_series(1, 1001)", &[]).await.unwrap_err();
    assert_eq!(code_of(&error).0, "54000");
    let wide = "SELECT concat(a, a, a, a, a, a, a, a) FROM (SELECT concat(v, v, v, v, v, v, v, v, v, v) AS a FROM \
                (SELECT concat(value, 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx') AS v FROM generate_series(1, 1000)) t) u";
    let (code, message) = refused(&client, wide).await;
    assert_eq!((code.as_str(), message.as_str()), ("54000", "the answer has more than 1 MiB"));
    assert_eq!(rig.counted("medfleet_sql_refusals_total{sqlstate=\"54000\"}"), 3.0);
}

#[tokio::test]
async fn memory_past_a_connections_share_is_refused() {
    let rig = Rig::with(Limits { connection_memory_mebibytes: 8, ..Limits::default() }).await;
    let client = rig.client("ann").await;
    let greedy = "SELECT count(*) FROM generate_series(1, 3000000) a \
                  JOIN (SELECT value, concat(value, 'yyyyyyyyyyyyyyyyyyyyyyyyy') AS t FROM generate_series(1, 3000000)) b \
                  ON a.value = b.value AND b.t <> 'x'";
    let (code, message) = refused(&client, greedy).await;
    assert_eq!((code.as_str(), message.contains("8 MiB")), ("53200", true), "{message}");
    assert_eq!(column(&client, "SELECT count(*) FROM devices").await, ["1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_so_many_statements_run_and_others_wait_so_long() {
    let limits = Limits { running_max: 1, wait_for_turn_milliseconds: 100, ..Limits::default() };
    let rig = Rig::with(limits).await;
    let (busy, late) = (std::sync::Arc::new(rig.client("ann").await), rig.client("leader").await);
    let (token, asked) = (busy.cancel_token(), std::sync::Arc::clone(&busy));
    let running = tokio::spawn(async move { asked.simple_query(ENDLESS[1]).await });
    rig.until_something_runs().await;
    let (code, message) = refused(&late, "SELECT 1").await;
    assert_eq!((code.as_str(), message.contains("1 statements run already")), ("53400", true), "{message}");
    token.cancel_query(tokio_postgres::NoTls).await.unwrap();
    assert!(running.await.unwrap().is_err());
    assert_eq!(column(&late, "SELECT 1").await, ["1"]);
}

#[tokio::test]
async fn connections_are_bounded_in_all_and_for_each_user() {
    let rig = Rig::with(Limits { connections_max: 3, connections_per_user_max: 2, ..Limits::default() }).await;
    let _first = (rig.client("ann").await, rig.client("ann").await);
    let error = rig.try_client(&rig.line("ann", super::rig::PASSWORD)).await.map(|_| ()).unwrap_err();
    let (code, message) = code_of(&error);
    assert_eq!((code.as_str(), message.contains("ann has 2")), ("53300", true), "{message}");
    let _leader = rig.client("leader").await;
    let error = rig.try_client(&rig.line("leader", super::rig::PASSWORD)).await.map(|_| ()).unwrap_err();
    assert_eq!(code_of(&error).0, "53300");
}

#[tokio::test]
async fn a_silent_connection_is_ended_and_sooner_within_a_transaction() {
    let limits = Limits { idle_seconds: 2, idle_in_transaction_seconds: 1, ..Limits::default() };
    let rig = Rig::with(limits).await;
    let (quiet, holding) = (rig.client("ann").await, rig.client("ann").await);
    holding.simple_query("BEGIN").await.unwrap();
    let ended = async {
        while !(quiet.is_closed() && holding.is_closed()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), ended).await.expect("both connections end");
    assert_eq!(rig.counted("medfleet_sql_refusals_total{sqlstate=\"25P03\"}"), 1.0);
    assert_eq!(rig.counted("medfleet_sql_refusals_total{sqlstate=\"57P05\"}"), 1.0);
}

#[tokio::test]
async fn prepared_statements_are_bounded_and_can_be_let_go() {
    let rig = Rig::with(Limits { prepared_max: 3, ..Limits::default() }).await;
    let client = rig.client("ann").await;
    let mut kept = Vec::new();
    let code = loop {
        match client.prepare("SELECT 1").await {
            Ok(statement) => kept.push(statement),
            Err(error) => break code_of(&error).0,
        }
        assert!(kept.len() <= 3);
    };
    assert_eq!((code.as_str(), kept.len()), ("54000", 3));
    client.simple_query("DEALLOCATE ALL").await.unwrap();
    assert!(client.prepare("SELECT 1").await.is_ok());
}

#[tokio::test]
async fn a_message_that_is_too_long_ends_the_connection_before_it_is_read() {
    let rig = Rig::with(Limits { message_max_bytes: 20_000, ..Limits::default() }).await;
    let client = rig.client("ann").await;
    let long = format!("SELECT '{}'", "x".repeat(30_000));
    let (code, _) = refused(&client, &long).await;
    assert!(code == "08P01" || code == "none", "{code}");
    assert_eq!(rig.counted("medfleet_sql_refusals_total{sqlstate=\"08P01\"}"), 1.0);
    // Before the login, a length of a gigabyte is all it takes.
    let mut stream = tokio::net::TcpStream::connect(rig.address).await.unwrap();
    stream.write_all(&[0x3f, 0xff, 0xff, 0xff, 0, 3, 0, 0]).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with(b"E"), "{answer:?}");
}

#[tokio::test]
async fn deep_nesting_is_refused_and_not_followed() {
    let rig = Rig::open().await;
    let client = rig.client("ann").await;
    let deep = format!("SELECT {}1{}", "(".repeat(5_000), ")".repeat(5_000));
    assert_eq!(refused(&client, &deep).await.0, "54001");
    for (first, more) in [("1", " + 1"), ("1", " UNION ALL SELECT 1"), ("true", " AND true"), ("1", "::bigint")] {
        let most = format!("SELECT {first}{}", more.repeat(990));
        assert!(client.simple_query(&most).await.is_ok(), "{more}");
        assert_eq!(refused(&client, &format!("SELECT {first}{}", more.repeat(9_000))).await.0, "54001", "{more}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_the_process_ends_statements_and_connections() {
    let rig = Rig::open().await;
    let (busy, idle) = (std::sync::Arc::new(rig.client("ann").await), rig.client("ann").await);
    let asked = std::sync::Arc::clone(&busy);
    let running = tokio::spawn(async move { asked.simple_query(ENDLESS[1]).await });
    rig.until_something_runs().await;
    rig.shutdown.request();
    let error = running.await.unwrap().unwrap_err();
    assert_eq!(code_of(&error).0, "57P01");
    tokio::time::timeout(Duration::from_secs(4), rig.served).await.expect("it ends in time").unwrap();
    assert!(idle.simple_query("SELECT 1").await.is_err());
}
