//! Contract statements over a cut: one that was issued stays as it was issued, and what came later is told once, by the next.

use std::collections::BTreeMap;

use datafusion::prelude::SessionContext;
use medfleet_domain::time::{Day, MICROS_PER_DAY, Span, Timestamp};
use medfleet_kpi::Question;
use medfleet_kpi::statement::{Adjustment, Asked, Issued, Sheet, in_the_way, issued, last_told, statement};
use tokio::sync::Mutex;

use crate::cuts::OpenCut;
use crate::error::ApiError;

/// A contract statement beside what later facts made of the statements before it.
pub struct Told {
    pub sheet: Sheet,
    pub adjustments: Vec<Adjustment>,
    /// The statement that was issued for this period.
    pub issued: Option<Issued>,
    /// One that was issued for a part of it, which is why this one cannot be.
    pub in_the_way: Option<Issued>,
}

/// What a cut knows to be issued, of one device or of all, and what it pins.
pub struct Statements<'a> {
    open: &'a OpenCut,
    issued: Vec<Issued>,
    /// By cut.
    pinned: Mutex<BTreeMap<i64, SessionContext>>,
}

impl<'a> Statements<'a> {
    pub async fn of_device(open: &'a OpenCut, device: &str) -> Result<Self, ApiError> {
        Self::read(open, everything(open.at()).of_device(device)).await
    }

    pub async fn of_all(open: &'a OpenCut) -> Result<Self, ApiError> {
        Self::read(open, everything(open.at())).await
    }

    async fn read(open: &'a OpenCut, question: Question) -> Result<Self, ApiError> {
        let issued = issued(open.kpi().await?, &question).await?;
        Ok(Self { open, issued, pinned: Mutex::default() })
    }

    /// Oldest first.
    pub fn issued(&self) -> &[Issued] {
        &self.issued
    }

    /// The statement of a device under a contract for the period in which a day lies; None: no contract covers it.
    pub async fn told(&self, device: &str, contract: &str, day: Day) -> Result<Option<Told>, ApiError> {
        let (sheet, issued) = self.standing(device, contract, day).await?;
        if let Some(issued) = issued {
            return self.as_issued(issued).await;
        }
        let Some(sheet) = sheet else { return Ok(None) };
        let (session, now) = (self.open.kpi().await?, self.open.at());
        let of_device = self.issued.iter().filter(|one| one.device == device).cloned().collect();
        let adjustments = self.adjustments((session, now), of_device, (&sheet, contract)).await?;
        let in_the_way = self.in_the_way(&sheet).cloned();
        Ok(Some(Told { sheet, adjustments, issued: None, in_the_way }))
    }

    /// The same without what it tells of other periods.
    pub async fn sheet(&self, device: &str, contract: &str, day: Day) -> Result<Option<Sheet>, ApiError> {
        match self.standing(device, contract, day).await? {
            (_, Some(one)) => over_period(&self.session(one).await?, one, one.period.until).await,
            (sheet, None) => Ok(sheet),
        }
    }

    /// What this cut makes of the period, and the statement that was issued for it: all that issuing asks for.
    pub async fn standing(
        &self,
        device: &str,
        contract: &str,
        day: Day,
    ) -> Result<(Option<Sheet>, Option<&Issued>), ApiError> {
        let asked = Asked { device, contract, day, now: self.open.at() };
        let sheet = statement(self.open.kpi().await?, asked).await?;
        let issued = self.issued_for(device, contract, day, sheet.as_ref());
        Ok((sheet, issued))
    }

    /// A statement as it was issued, and what it told of those that its cut knew, computed again from the cut that it pins.
    pub async fn as_issued(&self, one: &Issued) -> Result<Option<Told>, ApiError> {
        let session = self.session(one).await?;
        let Some(sheet) = over_period(&session, one, one.period.until).await? else { return Ok(None) };
        let now = one.as_of.max(one.period.until);
        let known = issued(&session, &everything(now).of_device(&one.device)).await?;
        let adjustments = self.adjustments((&session, now), known, (&sheet, one.contract.as_str())).await?;
        Ok(Some(Told { sheet, adjustments, issued: Some(one.clone()), in_the_way: None }))
    }

    /// The statement that was issued for the period of a sheet, or, where a later version of the contract has moved or ended that, for the
    /// day that is asked about.
    fn issued_for(&self, device: &str, contract: &str, day: Day, sheet: Option<&Sheet>) -> Option<&Issued> {
        let noon = day.start().plus_micros(MICROS_PER_DAY / 2);
        let own = |one: &&Issued| {
            let holds = |span: Span| span.from <= noon && noon < span.until;
            one.device == device
                && one.contract == contract
                && match sheet {
                    Some(sheet) if one.site != sheet.site => false,
                    Some(sheet) if one.period.from == sheet.statement.period.from => true,
                    Some(sheet) => one.period.clip(sheet.statement.period).is_some() && holds(one.period),
                    None => holds(one.period),
                }
        };
        self.issued.iter().filter(own).min_by_key(|one| one.cut)
    }

    /// A statement that was issued for days of the period of a sheet, which would be counted twice: a contract that changed its periods
    /// may have one.
    pub fn in_the_way(&self, sheet: &Sheet) -> Option<&Issued> {
        let (statement, contract) = (&sheet.statement, sheet.version.contract.number.as_str());
        in_the_way(&self.issued, &sheet.device, contract, &sheet.site, statement.period)
    }

    /// What changed in the periods of earlier statements since each was last told.
    async fn adjustments(
        &self,
        (session, now): (&SessionContext, Timestamp),
        known: Vec<Issued>,
        (sheet, contract): (&Sheet, &str),
    ) -> Result<Vec<Adjustment>, ApiError> {
        let mut known = known;
        known.retain(|one| one.contract == contract && one.site == sheet.site);
        // A period is issued once: what two buttons said at the same time counts as the first.
        known.sort_by_key(|one| (one.period.from, one.cut, one.issued_at));
        known.dedup_by_key(|one| one.period.from);
        let mut found = Vec::new();
        for one in known.iter().filter(|one| one.period.until <= sheet.statement.period.from) {
            let told_at = self.session(last_told(one, &known)).await?;
            let Some(then) = over_period(&told_at, one, one.period.until).await? else { continue };
            found.extend(Adjustment::of(one.clone(), &then, over_period(session, one, now).await?));
        }
        Ok(found)
    }

    /// What was known at the cut that a statement pins.
    async fn session(&self, one: &Issued) -> Result<SessionContext, ApiError> {
        let mut pinned = self.pinned.lock().await;
        if let Some(session) = pinned.get(&one.cut) {
            return Ok(session.clone());
        }
        let session = self.open.at_offsets(&one.offsets).await?;
        pinned.insert(one.cut, session.clone());
        Ok(session)
    }
}

fn everything(now: Timestamp) -> Question {
    Question::new(Timestamp(0), Timestamp(MICROS_PER_DAY), now)
}

/// The statement of the period of one that was issued. The local day in its middle is the UTC day, or one beside it.
async fn over_period(session: &SessionContext, one: &Issued, now: Timestamp) -> Result<Option<Sheet>, ApiError> {
    let middle = Timestamp(one.period.from.0 + one.period.micros() / 2).day();
    for day in [middle, middle.next(), Day(middle.0 - 1)] {
        let asked = Asked { device: &one.device, contract: &one.contract, day, now };
        let sheet = statement(session, asked).await?;
        if sheet.as_ref().is_some_and(|sheet| sheet.statement.period.from == one.period.from) {
            return Ok(sheet);
        }
    }
    Ok(None)
}
