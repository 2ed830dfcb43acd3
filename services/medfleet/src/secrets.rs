//! What is made at the first start and never leaves the data folder: an authority, a server certificate, passwords.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use medfleet_domain::id::AgentId;
use medfleet_ingest::Passwords;
use rand::RngCore as _;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

const PASSWORD_BYTES: usize = 24;

/// The folder of secrets, readable by its owner alone.
#[derive(Debug, Clone)]
pub struct Secrets {
    folder: PathBuf,
}

impl Secrets {
    /// Opens the folder and makes what is missing. Existing secrets are never replaced.
    pub fn open(folder: &Path, listens: &[SocketAddr]) -> anyhow::Result<Self> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.with_context(|| format!("cannot make the folder of secrets {}", folder.display()))?;
        let secrets = Self { folder: folder.to_owned() };
        if !secrets.certificate().exists() {
            secrets.certify(listens)?;
        }
        Ok(secrets)
    }

    pub fn authority(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    pub fn certificate(&self) -> PathBuf {
        self.folder.join("server.pem")
    }

    pub fn key(&self) -> PathBuf {
        self.folder.join("server.key")
    }

    pub fn token(&self) -> PathBuf {
        self.folder.join("login.token")
    }

    /// The file with the secret that signs webhooks, made when there is none.
    pub fn webhook_secret(&self) -> anyhow::Result<PathBuf> {
        let path = self.folder.join("webhook.secret");
        // Hexadecimal digits are base64 as well, which is what receivers decode.
        match write_new(&path, format!("whsec_{}", random_hex(PASSWORD_BYTES)).as_bytes()) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            other => other.with_context(|| format!("cannot write {}", path.display()))?,
        }
        Ok(path)
    }

    /// The folder of the SQL endpoint's users: sites and verifiers.
    pub fn sql_users(&self) -> PathBuf {
        self.folder.join("sql-users")
    }

    /// A new password of one SQL user, and the file that holds it, over an older one. The endpoint never reads it.
    pub fn sql_password(&self, user: &str) -> anyhow::Result<(PathBuf, String)> {
        let (path, password) = (self.folder.join(format!("sql-{user}.password")), random_hex(PASSWORD_BYTES));
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot replace {}", path.display()));
            }
            _ => {}
        }
        write_new(&path, password.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
        Ok((path, password))
    }

    /// The file with one agent's password, made when there is none.
    pub fn agent_password(&self, agent: &AgentId) -> anyhow::Result<PathBuf> {
        let path = self.folder.join(format!("agent-{agent}.password"));
        match write_new(&path, random_hex(PASSWORD_BYTES).as_bytes()) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            other => other.with_context(|| format!("cannot write {}", path.display()))?,
        }
        Ok(path)
    }

    /// The passwords of all agents that have one.
    pub fn passwords(&self) -> anyhow::Result<Passwords> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let agent = name.and_then(|name| name.strip_prefix("agent-")?.strip_suffix(".password"));
            if let Some(agent) = agent {
                let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
                found.push((AgentId::new(agent)?, text.lines().next().unwrap_or_default().to_owned()));
            }
        }
        Ok(Passwords::new(found))
    }

    fn certify(&self, listens: &[SocketAddr]) -> anyhow::Result<()> {
        let authority_key = KeyPair::generate()?;
        let mut authority = CertificateParams::new(Vec::<String>::new())?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        authority.distinguished_name.push(DnType::CommonName, "medfleet installation authority");
        let authority_certificate = authority.self_signed(&authority_key)?;
        let issuer = Issuer::from_params(&authority, &authority_key);

        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        let named = |ip: &IpAddr| !ip.is_unspecified() && !ip.is_loopback();
        names.extend(listens.iter().map(SocketAddr::ip).filter(named).map(|ip| ip.to_string()));
        let server_key = KeyPair::generate()?;
        let mut server = CertificateParams::new(names)?;
        server.distinguished_name.push(DnType::CommonName, "medfleet");
        let certificate = server.signed_by(&server_key, &issuer)?;

        let write = |path: PathBuf, text: String| {
            write_new(&path, text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
        };
        write(self.authority(), authority_certificate.pem())?;
        write(self.key(), server_key.serialize_pem())?;
        // Last, because its presence says that all of them are there.
        write(self.certificate(), certificate.pem())
    }
}

fn random_hex(bytes: usize) -> String {
    let mut random = vec![0; bytes];
    rand::rng().fill_bytes(&mut random);
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
