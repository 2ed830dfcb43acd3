//! Who is let in.

use medfleet_runtime::{RuntimeError, TlsFiles};
use medfleet_sql::{Service, SqlConfig, SqlError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::rig::{PASSWORD, Rig, code_of, column};

#[tokio::test]
async fn a_wrong_password_an_unknown_name_and_none_at_all_look_alike() {
    let rig = Rig::open().await;
    for (user, password) in [("ann", "wrong"), ("bob", PASSWORD), ("../ann", PASSWORD), ("postgres", "postgres")] {
        let error = rig.try_client(&rig.line(user, password)).await.map(|_| ()).unwrap_err();
        let (code, message) = code_of(&error);
        assert_eq!(code, "28P01", "{user}: {message}");
        assert_eq!(message, format!("password authentication failed for user \"{user}\""));
    }
    let bare = format!("host=127.0.0.1 port={} user=ann dbname=medfleet", rig.address.port());
    assert!(rig.try_client(&bare).await.is_err());
    assert_eq!(rig.counted("medfleet_sql_logins_total{outcome=\"refused\"}"), 4.0);
    assert_eq!(rig.counted("medfleet_sql_logins_total{outcome=\"admitted\"}"), 0.0);
}

#[tokio::test]
async fn the_database_is_called_medfleet_or_as_the_user() {
    let rig = Rig::open().await;
    let line = rig.line("ann", PASSWORD);
    assert!(rig.try_client(&line.replace("dbname=medfleet", "dbname=ann")).await.is_ok());
    let error = rig.try_client(&line.replace("dbname=medfleet", "dbname=postgres")).await.map(|_| ()).unwrap_err();
    assert_eq!(code_of(&error).0, "3D000");
}

#[tokio::test]
async fn the_session_knows_who_it_is_and_what_holds() {
    let rig = Rig::open().await;
    let line = format!("{} application_name=probe options='-c timezone=Europe/Berlin'", rig.line("ann", PASSWORD));
    let ann = rig.try_client(&line).await.unwrap();
    assert_eq!(column(&ann, "SELECT current_user").await, ["ann"]);
    assert_eq!(column(&ann, "SELECT session_user").await, ["ann"]);
    assert_eq!(column(&ann, "SHOW application_name").await, ["probe"]);
    assert_eq!(column(&ann, "SHOW TIME ZONE").await, ["UTC"]);
    assert_eq!(column(&ann, "SELECT current_setting('is_superuser')").await, ["off"]);
    assert_eq!(column(&ann, "SELECT current_database()").await, ["medfleet"]);
}

#[tokio::test]
async fn nothing_is_answered_before_the_login() {
    let rig = Rig::open().await;
    let mut stream = tokio::net::TcpStream::connect(rig.address).await.unwrap();
    let mut said = Vec::new();
    let body = b"\0\x03\0\0user\0ann\0database\0medfleet\0\0";
    said.extend(u32::try_from(body.len() + 4).unwrap().to_be_bytes());
    said.extend(body);
    let query = b"SELECT 1\0";
    said.push(b'Q');
    said.extend(u32::try_from(query.len() + 4).unwrap().to_be_bytes());
    said.extend(query);
    stream.write_all(&said).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let text = String::from_utf8_lossy(&answer);
    assert!(text.contains("SCRAM-SHA-256") && text.contains("08P01") && !text.contains("SELECT 1"), "{text}");
}

#[tokio::test]
async fn plain_text_is_refused_where_there_is_tls_and_never_served_off_loopback() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("server.pem"), folder.path().join("server.key"));
    let pair = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(&certificate, pair.cert.pem()).unwrap();
    std::fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
    let files = TlsFiles { certificate: certificate.clone(), key: key.clone() };
    let rig = Rig::start(|config| config.tls = Some(files)).await;
    let error =
        rig.try_client(&format!("{} sslmode=disable", rig.line("ann", PASSWORD))).await.map(|_| ()).unwrap_err();
    assert_eq!(code_of(&error).0, "28000");

    let service = |config: SqlConfig| {
        let (metrics, shutdown) = (medfleet_runtime::Metrics::new().unwrap(), medfleet_runtime::Shutdown::new());
        let lag = std::sync::Arc::new(Silent);
        Service::new(config, rig.lake.clone(), lag, &metrics, medfleet_runtime::Health::new(), shutdown).map(|_| ())
    };
    let open = SqlConfig { listen: "0.0.0.0:0".parse().unwrap(), ..SqlConfig::default() };
    assert!(matches!(service(open.clone()), Err(SqlError::PlainText { .. })));
    // A certificate that cannot be used is no reason to go on without one.
    std::fs::write(&key, "no key").unwrap();
    let broken = TlsFiles { certificate, key };
    assert!(matches!(
        service(SqlConfig { tls: Some(broken), ..open }),
        Err(SqlError::Runtime(RuntimeError::Certificate { .. }))
    ));
}

struct Silent;

#[async_trait::async_trait]
impl medfleet_sql::Lag for Silent {
    async fn records(&self, _: &medfleet_lake::Cut) -> Option<i64> {
        None
    }
}
