//! What clients send by themselves: Grafana's data source, psql's backslash commands, cursors, both protocols.

use super::rig::{Rig, column, refused, told};

/// Grafana's PostgreSQL data source: its probes, its query builder, and panels with the macros it expands.
#[tokio::test]
async fn grafana_finds_tables_columns_and_series() {
    let rig = Rig::open().await;
    let client = rig.client("ann").await;
    let version = column(&client, "SELECT current_setting('server_version_num')::int/100 as version").await;
    assert_eq!(version, ["1500"]);
    let timescale = "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'";
    assert_eq!(column(&client, timescale).await, [""; 0]);
    let tables = column(&client, TABLES).await;
    assert!(tables.contains(&"public.intervals".to_owned()), "{tables:?}");
    let columns = column(&client, COLUMNS).await;
    assert_eq!(&columns[..3], ["device", "site", "kind"]);
    for (panel, rows) in PANELS {
        assert_eq!(told(&client, panel).await.len(), *rows, "{panel}");
    }
}

/// As the data source writes it when it lists tables.
const TABLES: &str = r#"SELECT
  CASE WHEN
        quote_ident(table_schema) IN (
        SELECT
          CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END
        FROM
          generate_series(
            array_lower(string_to_array(current_setting('search_path'),','),1),
            array_upper(string_to_array(current_setting('search_path'),','),1)
          ) as i,
          string_to_array(current_setting('search_path'),',') s
        )
    THEN quote_ident(table_name)
    ELSE quote_ident(table_schema) || '.' || quote_ident(table_name)
  END AS "table"
  FROM information_schema.tables
  WHERE quote_ident(table_schema) NOT IN ('information_schema',
                           'pg_catalog',
                           '_timescaledb_cache',
                           '_timescaledb_catalog',
                           '_timescaledb_internal',
                           '_timescaledb_config',
                           'timescaledb_information',
                           'timescaledb_experimental')
  ORDER BY CASE WHEN
        quote_ident(table_schema) IN (
        SELECT
          CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END
        FROM
          generate_series(
            array_lower(string_to_array(current_setting('search_path'),','),1),
            array_upper(string_to_array(current_setting('search_path'),','),1)
          ) as i,
          string_to_array(current_setting('search_path'),',') s
        ) THEN 0 ELSE 1 END, 1"#;

/// The same for the columns of a table.
const COLUMNS: &str = r#"SELECT quote_ident(column_name) AS "column", data_type AS "type"
  FROM information_schema.columns
  WHERE
    CASE WHEN array_length(parse_ident('public.intervals'),1) = 2
      THEN quote_ident(table_schema) = (parse_ident('public.intervals'))[1]
        AND quote_ident(table_name) = (parse_ident('public.intervals'))[2]
      ELSE quote_ident(table_name) = 'public.intervals'
        AND
          quote_ident(table_schema) IN (
          SELECT
            CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END
          FROM
            generate_series(
              array_lower(string_to_array(current_setting('search_path'),','),1),
              array_upper(string_to_array(current_setting('search_path'),','),1)
            ) as i,
            string_to_array(current_setting('search_path'),',') s
          )
    END"#;

/// Panels after `$__timeFilter`, `$__timeGroup`, `$__timeGroupAlias` (with and without TimescaleDB), `$__time`,
/// `$__timeFrom`, `$__timeTo`, `$__unixEpochFilter`, and rows wanted.
const PANELS: &[(&str, usize)] = &[
    (
        "SELECT from_at AS \"time\", condition AS metric FROM intervals WHERE from_at BETWEEN \
         '2026-03-02T00:00:00Z' AND '2026-03-02T05:59:59Z' ORDER BY 1",
        6,
    ),
    (
        "SELECT floor(extract(epoch from from_at)/21600)*21600 AS \"time\", count(*) AS value FROM intervals \
         WHERE from_at BETWEEN '2026-03-02T00:00:00Z' AND '2026-03-03T00:00:00Z' GROUP BY 1 ORDER BY 1",
        4,
    ),
    (
        "SELECT time_bucket('21600.000s',from_at) AS \"time\", site AS metric, count(*) AS value FROM intervals \
         WHERE from_at BETWEEN '2026-03-02T00:00:00Z' AND '2026-03-03T00:00:00Z' GROUP BY 1, 2 ORDER BY 1, 2",
        4,
    ),
    ("SELECT date_bin('6 hours', from_at, '2001-01-01') AS \"time\", count(*) FROM intervals GROUP BY 1 ORDER BY 1", 4),
    ("SELECT extract(epoch from at) as \"time\", code FROM errors", 1),
    ("SELECT at FROM errors WHERE extract(epoch from at) >= 1772409600 AND extract(epoch from at) <= 1772496000", 1),
    (
        "SELECT now() AS \"time\", site, uptime FROM uptime('2026-03-02T00:00:00Z', '2026-03-03T00:00:00.123Z') LIMIT 50",
        1,
    ),
    (
        "SELECT quarter_at AS time, sum(CASE WHEN condition = 'standby' THEN micros END) / sum(micros)::float AS up \
         FROM rollup_quarter WHERE quarter_at BETWEEN '2026-03-02T00:00:00Z' AND '2026-03-02T23:59:59Z' \
         AND site IN ('north') GROUP BY quarter_at ORDER BY 1",
        92,
    ),
    ("SELECT DISTINCT site AS __text, site AS __value FROM sites ORDER BY 1", 1),
    ("SELECT 1", 1),
];

#[tokio::test]
async fn cursors_go_forward_and_end_with_their_transaction() {
    let rig = Rig::open().await;
    let client = rig.client("ann").await;
    client.simple_query("BEGIN").await.unwrap();
    client.simple_query("DECLARE c NO SCROLL CURSOR FOR SELECT * FROM generate_series(1, 25)").await.unwrap();
    assert_eq!(told(&client, "FETCH FORWARD 10 FROM c").await.len(), 10);
    assert_eq!(told(&client, "FETCH 10 FROM c").await.len(), 10);
    assert_eq!(column(&client, "FETCH ALL FROM c").await, ["21", "22", "23", "24", "25"]);
    client.simple_query("COMMIT").await.unwrap();
    assert_eq!(refused(&client, "FETCH 1 FROM c").await.0, "34000");
}

/// As psycopg's named cursors do it: the declaration is prepared, bound and executed.
#[tokio::test]
async fn a_cursor_takes_parameters_when_it_is_declared() {
    let rig = Rig::open().await;
    let client = rig.client("ann").await;
    client.simple_query("BEGIN").await.unwrap();
    let declare = "DECLARE walk CURSOR FOR SELECT device FROM intervals WHERE device = $1";
    client.execute(declare, &[&"ct-north"]).await.unwrap();
    let all = column(&client, "SELECT count(*) FROM intervals WHERE device = 'ct-north'").await;
    assert_eq!(told(&client, "FETCH ALL FROM walk").await.len().to_string(), all[0]);
    client
        .execute("DECLARE none CURSOR FOR SELECT device FROM intervals WHERE device = $1", &[&"nobody"])
        .await
        .unwrap();
    assert!(told(&client, "FETCH ALL FROM none").await.is_empty());
    client.simple_query("COMMIT").await.unwrap();
}

/// As JDBC and psycopg's binary cursors do it: the fetch is prepared, and its columns are those of the cursor.
#[tokio::test]
async fn a_prepared_fetch_gives_typed_rows_of_its_cursor() {
    let rig = Rig::open().await;
    let client = rig.client("ann").await;
    client.simple_query("BEGIN").await.unwrap();
    client
        .execute("DECLARE walk CURSOR FOR SELECT from_at, assumed FROM intervals ORDER BY from_at", &[])
        .await
        .unwrap();
    let fetch = client.prepare("FETCH 20 FROM walk").await.unwrap();
    let names: Vec<&str> = fetch.columns().iter().map(|column| column.name()).collect();
    assert_eq!(names, ["from_at", "assumed"]);
    let first = client.query(&fetch, &[]).await.unwrap();
    let at: std::time::SystemTime = first[0].get(0);
    assert_eq!(at.duration_since(std::time::UNIX_EPOCH).unwrap().as_micros(), super::rig::MONDAY as u128);
    // Text after binary, from where it stopped.
    let rest = told(&client, "FETCH ALL FROM walk").await;
    assert_eq!((first.len(), rest.len()), (20, 3));
    assert_eq!(rest[0].get(0), Some("2026-03-02 20:00:00.000000+00"));
    assert!(client.prepare("FETCH 1 FROM nowhere").await.unwrap().columns().is_empty());
    assert!(client.query("FETCH 1 FROM nowhere", &[]).await.is_err());
}

#[tokio::test]
async fn the_extended_protocol_gives_typed_rows_in_parts() {
    let rig = Rig::open().await;
    let mut client = rig.client("ann").await;
    let row = client
        .query_one(
            "SELECT device, day, from_at, assumed FROM intervals WHERE device = $1 ORDER BY from_at LIMIT 1",
            &[&"ct-north"],
        )
        .await
        .unwrap();
    assert_eq!(row.get::<_, &str>(0), "ct-north");
    assert!(!row.get::<_, bool>(3));
    let at: std::time::SystemTime = row.get(2);
    assert_eq!(at.duration_since(std::time::UNIX_EPOCH).unwrap().as_micros(), super::rig::MONDAY as u128);
    let transaction = client.transaction().await.unwrap();
    let statement = transaction.prepare("SELECT from_at FROM intervals").await.unwrap();
    let portal = transaction.bind(&statement, &[]).await.unwrap();
    assert_eq!(transaction.query_portal(&portal, 20).await.unwrap().len(), 20);
    assert_eq!(transaction.query_portal(&portal, 20).await.unwrap().len(), 3);
    transaction.commit().await.unwrap();
    let nothing = client.query("", &[]).await.unwrap();
    assert!(nothing.is_empty());
}

#[tokio::test]
async fn several_statements_in_one_text_are_answered_in_order() {
    let rig = Rig::open().await;
    let client = rig.client("ann").await;
    assert_eq!(column(&client, "SELECT 1; SELECT 2; SHOW server_encoding").await, ["1", "2", "UTF8"]);
    client
        .simple_query("SET application_name = 'x'; BEGIN; SELECT 1; SAVEPOINT a; RELEASE SAVEPOINT a; COMMIT")
        .await
        .unwrap();
    client.simple_query("DISCARD ALL").await.unwrap();
    assert_eq!(column(&client, "SHOW application_name").await, [""]);
}
