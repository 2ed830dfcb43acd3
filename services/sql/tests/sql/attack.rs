//! An attack statement by statement: each is refused with its SQLSTATE, and the session goes on.

use super::rig::{Rig, code_of, column, refused};

/// What is tried, and what must come back.
const ATTACKS: &[(&str, &str)] = &[
    // Definitions.
    ("CREATE TABLE t (a INT)", "42501"),
    ("CREATE TABLE t AS SELECT * FROM devices", "42501"),
    ("CREATE VIEW v AS SELECT 1", "42501"),
    ("CREATE OR REPLACE VIEW devices AS SELECT 1", "42501"),
    ("CREATE SCHEMA s", "42501"),
    ("CREATE DATABASE d", "42501"),
    ("CREATE FUNCTION f() RETURNS INT AS 'SELECT 1' LANGUAGE sql", "42501"),
    ("CREATE EXTENSION dblink", "42501"),
    ("CREATE INDEX i ON devices (site)", "42501"),
    ("CREATE ROLE r SUPERUSER", "42501"),
    ("DROP TABLE devices", "42501"),
    ("DROP VIEW devices", "42501"),
    ("ALTER TABLE devices ADD COLUMN a INT", "42501"),
    ("ALTER ROLE ann SUPERUSER", "42501"),
    ("TRUNCATE devices", "42501"),
    ("GRANT ALL ON devices TO ann", "42501"),
    ("REVOKE ALL ON devices FROM ann", "42501"),
    // Files, through tables from outside or around them.
    ("CREATE EXTERNAL TABLE t (a INT) STORED AS PARQUET LOCATION '/etc/passwd'", "42501"),
    ("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'", "42601"),
    ("COPY devices TO '/tmp/medfleet-attack'", "42501"),
    ("COPY (SELECT * FROM devices) TO '/tmp/medfleet-attack' STORED AS PARQUET", "42601"),
    ("COPY devices FROM '/etc/passwd'", "42501"),
    ("COPY devices FROM STDIN", "42501"),
    ("COPY (SELECT 1) TO PROGRAM 'sh -c id'", "42501"),
    ("SELECT * FROM '/etc/passwd'", "42P01"),
    ("SELECT * FROM \"/etc/passwd\"", "42P01"),
    ("SELECT * FROM read_csv('/etc/passwd')", "42883"),
    ("SELECT * FROM read_parquet('/etc/passwd')", "42883"),
    ("SELECT * FROM parquet_metadata('/etc/passwd')", "42883"),
    ("SELECT pg_read_file('/etc/passwd')", "42883"),
    ("SELECT pg_ls_dir('/')", "42883"),
    ("SELECT lo_import('/etc/passwd')", "42883"),
    ("SELECT getenv('PATH')", "42883"),
    ("SELECT @@PATH", "0A000"),
    ("LOAD '/tmp/x.so'", "42501"),
    // Changes, plain and hidden.
    ("INSERT INTO devices VALUES ('x')", "42501"),
    ("INSERT INTO devices SELECT * FROM devices", "42501"),
    ("UPDATE devices SET site = 'north'", "42501"),
    ("DELETE FROM devices", "42501"),
    ("MERGE INTO devices USING sites ON true WHEN MATCHED THEN DELETE", "42501"),
    ("WITH gone AS (DELETE FROM devices RETURNING *) SELECT * FROM gone", "42501"),
    ("WITH new AS (INSERT INTO devices VALUES ('x') RETURNING *) SELECT * FROM new", "42501"),
    ("SELECT * INTO t FROM devices", "42501"),
    ("SELECT * FROM devices FOR UPDATE", "42501"),
    ("EXPLAIN DELETE FROM devices", "42501"),
    ("EXPLAIN ANALYZE SELECT * FROM devices", "0A000"),
    ("EXPLAIN (ANALYZE) SELECT * FROM devices", "0A000"),
    ("VACUUM", "42501"),
    ("LOCK TABLE devices", "42501"),
    ("CALL f()", "0A000"),
    ("DO $$ BEGIN PERFORM 1; END $$", "42601"),
    ("PREPARE p AS DELETE FROM devices", "0A000"),
    ("EXECUTE p", "0A000"),
    ("LISTEN x", "0A000"),
    ("NOTIFY x", "0A000"),
    // Settings.
    ("SET datafusion.execution.batch_size = 1", "42704"),
    ("SET datafusion.catalog.information_schema = true", "42704"),
    ("SET ROLE leader", "42501"),
    ("SET SESSION AUTHORIZATION leader", "42501"),
    ("SET is_superuser = on", "42501"),
    ("SET session_authorization = leader", "42501"),
    ("SET default_transaction_read_only = off", "22023"),
    ("SET TRANSACTION READ WRITE", "42501"),
    ("SET TIME ZONE 'Europe/Berlin'", "22023"),
    ("SET LOCAL statement_timeout = 0", "0A000"),
    ("SHOW datafusion.runtime.temp_directory", "42704"),
    ("SHOW ALL", "42704"),
    ("SELECT current_setting('data_directory')", "42704"),
    // What is there but not to be named.
    ("SELECT * FROM cuts", "42P01"),
    ("SELECT * FROM heads", "42P01"),
    ("SELECT * FROM every_verdict", "42P01"),
    ("SELECT bytes FROM facts", "42703"),
    ("SELECT * FROM information_schema.df_settings", "42P01"),
    ("SELECT * FROM datafusion.public.devices", "42P01"),
    // More than a machine has.
    ("SELECT repeat('x', 2000000000)", "53200"),
    ("SELECT lpad('x', 2000000000)", "53200"),
    ("SELECT replace(repeat('a', 1000000), 'a', repeat('b', 1000))", "53200"),
    ("SELECT struct(1, 2)", "42883"),
    ("SELECT named_struct('a', 1)", "42883"),
    ("SELECT count(map(make_array(1), make_array(2)))", "42883"),
    ("SELECT arrow_cast('x', 'FixedSizeBinary(2000000000)')", "42883"),
    ("SELECT string_agg(site, ',') OVER () FROM devices", "0A000"),
    ("SELECT range(0, 100000000000)", "42883"),
    ("SELECT array_repeat(1, 2000000000)", "42883"),
    // Nonsense.
    ("SELECT 1; DROP TABLE devices", "42501"),
    ("SELEC 1", "42601"),
    ("SELECT nothing FROM devices", "42703"),
    ("SELECT 1 / 0", "22012"),
    ("SELECT CAST('x' AS INT)", "22P02"),
    ("SELECT * FROM uptime('soon', 'later')", "22023"),
    ("SELECT * FROM uptime('2020-01-01', '2026-01-01')", "22023"),
    ("SELECT * FROM uptime()", "22023"),
    ("SELECT * FROM uptime(site)", "22023"),
];

#[tokio::test]
async fn every_attack_is_refused_with_its_sqlstate_and_the_session_goes_on() {
    let rig = Rig::open().await;
    let client = rig.client("ann").await;
    let mut wrong = Vec::new();
    for (sql, wanted) in ATTACKS {
        let (code, message) = refused(&client, sql).await;
        if code != *wanted {
            wrong.push(format!("{sql}: {code} {message}, wanted {wanted}"));
        }
        assert_eq!(column(&client, "SELECT count(*) FROM devices").await, ["1"], "after {sql}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(!std::path::Path::new("/tmp/medfleet-attack").exists());
    assert!(rig.counted("medfleet_sql_refusals_total{sqlstate=\"42501\"}") > 30.0);
}

#[tokio::test]
async fn the_extended_protocol_refuses_the_same() {
    let rig = Rig::open().await;
    let client = rig.client("ann").await;
    let mut wrong = Vec::new();
    for (sql, wanted) in ATTACKS.iter().filter(|(sql, _)| !sql.contains(';')) {
        let code = match client.query(*sql, &[]).await {
            Ok(rows) => format!("{} rows", rows.len()),
            Err(error) => code_of(&error).0,
        };
        if code != *wanted {
            wrong.push(format!("{sql}: {code}, wanted {wanted}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let several = client.query("SELECT 1; SELECT 2", &[]).await.unwrap_err();
    assert_eq!(code_of(&several).0, "42601");
}

#[tokio::test]
async fn no_refusal_names_a_path_of_the_server() {
    let rig = Rig::open().await;
    let client = rig.client("ann").await;
    for (sql, _) in ATTACKS.iter().filter(|(sql, _)| !sql.contains("/etc/") && !sql.contains("/tmp")) {
        let (_, message) = refused(&client, sql).await;
        assert!(!message.contains("/tmp") && !message.contains("parquet"), "{sql}: {message}");
    }
    let plan = column(&client, "EXPLAIN SELECT * FROM intervals WHERE day = '2026-03-02'").await.join("\n");
    assert!(plan.contains("TableScan") && !plan.contains('/'), "{plan}");
}
