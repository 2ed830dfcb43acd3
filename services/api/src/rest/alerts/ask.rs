//! What may be asked of an alert, as JSON, and the domain's word for it.

use medfleet_domain::alert::{Finding, Wish};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::period::read_instant;
use crate::problem::Problem;
use crate::rest::statements::{AUTHOR_MAX_LETTERS, REASON_MAX_LETTERS, short};

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertRequestIn {
    /// Who asks.
    pub author: String,
    pub ask: WishIn,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum WishIn {
    Acknowledge,
    Assign {
        to: String,
    },
    Snooze {
        /// RFC 3339, in the future.
        until: String,
    },
    Close {
        reason: String,
    },
    Reopen,
    /// What was found: a label for every model that spoke.
    Verdict {
        finding: FindingIn,
        /// With `other_part`: which.
        part: Option<String>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FindingIn {
    Confirmed,
    OtherPart,
    WearReplaced,
    NothingFound,
    NotDone,
}

impl AlertRequestIn {
    pub fn read(self) -> Result<(String, Wish), Problem> {
        short("author", &self.author, 1, AUTHOR_MAX_LETTERS)?;
        Ok((self.author, self.ask.read()?))
    }
}

impl WishIn {
    fn read(self) -> Result<Wish, Problem> {
        Ok(match self {
            Self::Acknowledge => Wish::Acknowledge,
            Self::Assign { to } => {
                short("to", &to, 1, AUTHOR_MAX_LETTERS)?;
                Wish::Assign { to }
            }
            Self::Snooze { until } => {
                let read = read_instant(&until);
                let cure = "write an instant as 2026-03-01T06:15:00Z";
                Wish::Snooze { until: read.ok_or_else(|| Problem::bad_value("until", &until, cure))? }
            }
            Self::Close { reason } => {
                short("reason", &reason, 1, REASON_MAX_LETTERS)?;
                Wish::Resolve { reason }
            }
            Self::Reopen => Wish::Reopen,
            Self::Verdict { finding, part } => Wish::Judge { finding: read_finding(finding, part)? },
        })
    }
}

fn read_finding(finding: FindingIn, part: Option<String>) -> Result<Finding, Problem> {
    Ok(match finding {
        FindingIn::Confirmed => Finding::Confirmed,
        FindingIn::WearReplaced => Finding::WearReplaced,
        FindingIn::NothingFound => Finding::NothingFound,
        FindingIn::NotDone => Finding::NotDone,
        FindingIn::OtherPart => {
            let part = part.unwrap_or_default();
            short("part", &part, 1, AUTHOR_MAX_LETTERS)?;
            Finding::OtherPart { part }
        }
    })
}
