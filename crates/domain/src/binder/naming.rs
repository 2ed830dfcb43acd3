//! Which device an address names when: a step function of what was said about it.

use crate::fact::Body;
use crate::held::Held;
use crate::id::{Epoch, Subject};
use crate::kind::DeviceKind;
use crate::time::{Span, Timestamp};

/// One statement that an address names a device from now on, or no longer does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    pub place: String,
    pub device: Subject,
    pub kind: DeviceKind,
    pub at: Timestamp,
    pub known_at: Timestamp,
    pub starts: bool,
    /// Hash of the statement as it stands: a corrected one is another.
    pub name: Epoch,
}

impl Binding {
    pub fn of(device: &Subject, held: &Held) -> Option<Self> {
        let (place, starts) = match &held.body {
            Body::Bound(binding) => (&binding.place, true),
            Body::Unbound(binding) => (&binding.place, false),
            _ => return None,
        };
        let numbers = [held.epoch.0, held.seq.0, held.at.0.cast_unsigned(), held.said_at.0.cast_unsigned()];
        let numbers: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        Some(Self {
            place: place.clone(),
            device: device.clone(),
            kind: held.kind,
            at: held.at,
            known_at: held.said_at,
            starts,
            name: Epoch::derived(&[b"binding", &numbers, place.as_bytes()]),
        })
    }
}

/// A time in which an address names one device, by one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenure {
    pub device: Subject,
    pub kind: DeviceKind,
    pub known_at: Timestamp,
    pub name: Epoch,
    /// Until [`Timestamp::MAX`] while nothing says that it ended.
    pub span: Span,
}

impl Tenure {
    pub fn is_open(&self) -> bool {
        self.span.until == Timestamp::MAX
    }
}

/// The tenures of one address, in time order and disjoint. A device bound later takes the address over; an end counts
/// only for the device that holds it. At one instant ends come before beginnings, and the latest said begins last.
pub fn tenures(mut bindings: Vec<Binding>) -> Vec<Tenure> {
    bindings.sort_by(|a, b| {
        let rank = |one: &Binding| (one.at, one.starts, one.known_at, one.device.clone(), one.name);
        rank(a).cmp(&rank(b))
    });
    let mut tenures: Vec<Tenure> = Vec::new();
    for one in bindings {
        if let Some(open) =
            tenures.last_mut().filter(|last| last.is_open() && (one.starts || last.device == one.device))
        {
            open.span.until = one.at;
        }
        if one.starts {
            let span = Span { from: one.at, until: Timestamp::MAX };
            tenures.push(Tenure { device: one.device, kind: one.kind, known_at: one.known_at, name: one.name, span });
        }
    }
    tenures.retain(|tenure| tenure.span.from < tenure.span.until);
    tenures
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::SubjectKind;

    fn binding(device: &str, at: i64, known_at: i64, starts: bool) -> Binding {
        Binding {
            place: "CT_ROOM2".into(),
            device: Subject::new(SubjectKind::Device, device).unwrap(),
            kind: DeviceKind::Ct,
            at: Timestamp(at),
            known_at: Timestamp(known_at),
            starts,
            name: Epoch(at.cast_unsigned()),
        }
    }

    fn told(bindings: Vec<Binding>) -> Vec<(String, i64, i64)> {
        let named = tenures(bindings).into_iter();
        named.map(|tenure| (tenure.device.name().to_owned(), tenure.span.from.0, tenure.span.until.0)).collect()
    }

    #[test]
    fn a_later_device_takes_over_and_only_the_holder_can_leave() {
        let told = told(vec![
            binding("ct-9", 30, 30, true),
            binding("ct-7", 10, 10, true),
            binding("ct-7", 40, 40, false),
            binding("ct-9", 50, 50, false),
            binding("ct-9", 60, 60, false),
        ]);
        assert_eq!(told, [("ct-7".to_owned(), 10, 30), ("ct-9".to_owned(), 30, 50)]);
    }

    #[test]
    fn at_one_instant_the_end_comes_first_and_the_latest_said_holds() {
        let handed_over =
            vec![binding("ct-9", 20, 5, true), binding("ct-7", 10, 1, true), binding("ct-7", 20, 9, false)];
        assert_eq!(told(handed_over), [("ct-7".to_owned(), 10, 20), ("ct-9".to_owned(), 20, i64::MAX)]);
        let twice = vec![binding("ct-7", 10, 2, true), binding("ct-9", 10, 1, true)];
        assert_eq!(told(twice), [("ct-7".to_owned(), 10, i64::MAX)]);
    }
}
