//! Names the one TLS implementation of this process, because two are linked in and neither would be chosen by itself.

/// Harmless when the process has chosen before.
pub fn name_provider() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
