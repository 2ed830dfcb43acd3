//! An alert with those of its subject that became part of it, and the one that it became part of itself: one incident.

use medfleet_domain::alert::life::Alert;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident<'a> {
    pub alert: &'a Alert,
    /// Alerts of the same subject that became part of it.
    pub parts: Vec<&'a Alert>,
    /// What it became part of, of the same subject.
    pub whole: Option<&'a Alert>,
}

impl<'a> Incident<'a> {
    pub const fn alone(alert: &'a Alert) -> Self {
        Self { alert, parts: Vec::new(), whole: None }
    }
}
