//! Closed lists of values: each word of the domain beside its number on the wire. Zero is "not said".

use medfleet_domain::alert::Urgency;
use medfleet_domain::alert::record::Writer;
use medfleet_domain::condition::{Clock, Condition, Degradation, SourceKind};
use medfleet_domain::contract::{ClockStart, ClockStop, Exclusion, PeriodLength};
use medfleet_domain::fact::Severity;
use medfleet_domain::human::{OrderClass, Ownership, Party, Phase, PmOutcome};
use medfleet_domain::id::SubjectKind;

use crate::alert::FindingWord;
use crate::alert_record::{ChannelWord, OutcomeWord};
use crate::contract::HoursWord;
use crate::pb;
use crate::receipt::FateKind;
use crate::refusal::Refusal;
use crate::verdict::VerdictKind;

pub(crate) trait Word: Copy {
    /// The number on the wire.
    fn number(self) -> i32;

    /// None when nothing was said.
    fn read(field: &'static str, number: i32) -> Result<Option<Self>, Refusal>;

    fn required(field: &'static str, of: &'static str, number: i32) -> Result<Self, Refusal> {
        Self::read(field, number)?.ok_or(Refusal::MissingField { field, of })
    }
}

/// The number of a word that may stay unsaid.
pub(crate) fn number_or_unsaid<W: Word>(word: Option<W>) -> i32 {
    word.map_or(0, W::number)
}

macro_rules! words {
    ($($domain:ident = $wire:ident { $($word:ident)* } $(unsaid $unsaid:ident)?;)*) => {$(
        impl Word for $domain {
            fn number(self) -> i32 {
                match self {
                    $(Self::$word => pb::$wire::$word as i32,)*
                    $(Self::$unsaid => 0,)?
                }
            }

            fn read(field: &'static str, number: i32) -> Result<Option<Self>, Refusal> {
                match pb::$wire::try_from(number) {
                    Ok(pb::$wire::Unspecified) => Ok(None),
                    $(Ok(pb::$wire::$word) => Ok(Some(Self::$word)),)*
                    Err(_) => Err(Refusal::UnknownValue { field, value: number.to_string() }),
                }
            }
        }
    )*};
}

words! {
    SubjectKind = SubjectKind { Device Agent Site Place };
    Clock = Clock { Synchronised Holdover Suspect };
    SourceKind = SourceKind { Assumed Derived Gateway Device Record Person };
    // Unknown is what the ledger says of silence. Nobody reports it: as a fact it is unsaid, and refused by every reader.
    Condition = Condition { Standby Engineering Productive ScheduledDown UnscheduledDown } unsaid Unknown;
    Degradation = Degradation { Minor Partial Severe } unsaid None;
    Severity = Severity { Info Warning Minor Major Critical };
    Ownership = Ownership { Owned Leased Rented Loaner Consigned };
    OrderClass = OrderClass { Corrective Preventive Upgrade Inspection };
    Phase = OrderPhase {
        Opened Assigned Arrived RepairStarted WaitingStarted WaitingEnded Repaired ReturnedToService Closed Cancelled
        VendorCalled RemoteConnected
    };
    Party = Party { InHouse Vendor Parts Facility User };
    PmOutcome = PmOutcome { Completed CouldNotLocate InUse Removed };
    PeriodLength = ContractPeriod { Month Quarter };
    HoursWord = ContractHours { OfSite AroundTheClock Own };
    Exclusion = Exclusion { MaintenanceFromDowntime MaintenanceFromBoth Facility User Upgrade };
    ClockStart = ClockStart { Onset Reported VendorCalled };
    ClockStop = ClockStop { Arrived RemoteConnected Repaired ReturnedToUse };
    FateKind = FateKind { Stored Held Poison };
    VerdictKind = VerdictKind { Granted Refused };
    Urgency = Urgency { Inbox Soon Page };
    FindingWord = Finding { Confirmed OtherPart WearReplaced NothingFound NotDone };
    Writer = AlertWriter { Desk Sender };
    ChannelWord = ChannelKind { Email Webhook Alertmanager };
    OutcomeWord = MessageOutcome { Delivered Failed Refused };
}
