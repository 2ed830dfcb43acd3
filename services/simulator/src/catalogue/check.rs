//! Checks of one kind's file: every name it mentions is defined, every figure makes sense.

use std::collections::BTreeSet;

use medfleet_domain::condition::Condition;

use super::{Component, DAY_AGE, Failure, Growth, Kind, Model, Repair};

/// Shares are written by hand with two decimals.
const SHARE_TOLERANCE: f64 = 0.001;

type Flaw = String;

pub fn kind(kind: &Kind) -> Result<(), Flaw> {
    states(kind)?;
    busy(kind)?;
    families(kind)?;
    counters(kind)?;
    for (name, repair) in &kind.repairs {
        check_repair(name, repair)?;
    }
    for component in &kind.components {
        check_component(kind, component)?;
    }
    interrupts(kind)?;
    models(kind)?;
    hold(kind.sample_every_h >= 1, || "sample_every_h 0 would never end: use at least 1".into())?;
    hold(kind.pm.interval_days >= 1 && kind.pm.duration_h > 0.0, || "pm needs an interval and a duration".into())
}

fn hold(sound: bool, flaw: impl FnOnce() -> Flaw) -> Result<(), Flaw> {
    if sound { Ok(()) } else { Err(flaw()) }
}

fn defined(kind: &Kind, family: &str, by: &str) -> Result<(), Flaw> {
    hold(kind.family(family).is_some(), || {
        format!("{by} names family `{family}`, which is not defined: add it to families")
    })
}

fn unique<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<(), Flaw> {
    let mut seen = BTreeSet::new();
    for name in names {
        hold(seen.insert(name), || format!("{what} `{name}` is defined twice: keep one"))?;
    }
    Ok(())
}

fn states(kind: &Kind) -> Result<(), Flaw> {
    unique("state", kind.states.iter().map(|state| state.word.as_str()))?;
    for condition in Condition::ALL {
        let said = kind.states.iter().any(|state| state.condition == condition);
        let wanted = condition != Condition::Unknown;
        hold(said == wanted, || match wanted {
            true => format!("no state word means {}: add one", condition.as_str()),
            false => "unknown is no word of a device: remove the state".into(),
        })?;
    }
    Ok(())
}

fn busy(kind: &Kind) -> Result<(), Flaw> {
    hold(kind.usage.duration_min.is_sound(), || "use.duration_min needs 0 < median <= p90".into())?;
    let hours = kind.usage.weekday_busy_percent.iter().chain(&kind.usage.weekend_busy_percent);
    for percent in hours {
        hold((0.0..=95.0).contains(percent), || {
            format!("busy percent {percent} is outside 0 to 95: some time must be free")
        })?;
    }
    hold(kind.usage.weekly_share() > 0.0, || "busy percents are all zero: the kind would never be used".into())
}

fn families(kind: &Kind) -> Result<(), Flaw> {
    unique("family", kind.families.iter().map(|family| family.name.as_str()))
}

fn counters(kind: &Kind) -> Result<(), Flaw> {
    unique("counter", kind.counters.iter().map(|counter| counter.name.as_str()))?;
    for counter in &kind.counters {
        hold(counter.rate > 0.0, || {
            format!("counter `{}` has rate {}: use a rate above 0", counter.name, counter.rate)
        })?;
        hold(counter.name != DAY_AGE, || format!("counter `{DAY_AGE}` is reserved: choose another name"))?;
        match (&counter.family, counter.per) {
            (Some(family), Growth::Error) => defined(kind, family, &counter.name)?,
            (None, Growth::Error) => {
                return Err(format!("counter `{}` counts errors of no family: name one", counter.name));
            }
            (Some(_), _) => return Err(format!("counter `{}` has a family but does not count errors", counter.name)),
            (None, _) => {}
        }
    }
    Ok(())
}

fn check_repair(name: &str, repair: &Repair) -> Result<(), Flaw> {
    let share = repair.route_share;
    let sum = share.us + share.vendor + share.parts;
    hold((sum - 1.0).abs() < SHARE_TOLERANCE, || format!("route shares of repair `{name}` sum to {sum}: make it 1"))?;
    let spreads = [repair.response_h, repair.active_h, repair.vendor_wait_h, repair.parts_wait_h];
    hold(spreads.iter().all(|spread| spread.is_sound()), || {
        format!("repair `{name}` needs 0 < median <= p90 everywhere")
    })
}

fn check_component(kind: &Kind, part: &Component) -> Result<(), Flaw> {
    defined(kind, &part.family, &part.name)?;
    hold(kind.repairs.contains_key(&part.repair), || {
        format!("component `{}` names repair `{}`, which is not defined: add it to repairs", part.name, part.repair)
    })?;
    let on = part.failure.on();
    let counter = kind.counters.iter().find(|counter| counter.name == on);
    hold(on == DAY_AGE || counter.is_some(), || {
        format!("component `{}` ages on `{on}`, which is no counter: define it or use `{DAY_AGE}`", part.name)
    })?;
    let positive = match part.failure {
        Failure::Weibull { shape, scale, .. } => shape > 0.0 && scale > 0.0,
        Failure::Exponential { mean, .. } => mean > 0.0,
    };
    hold(positive, || format!("failure law of `{}` needs figures above 0", part.name))?;
    if let Some(precursor) = &part.precursor {
        defined(kind, &precursor.family, &part.name)?;
        hold(precursor.lead > 0.0, || format!("precursor of `{}` needs a lead above 0", part.name))?;
    }
    Ok(())
}

fn interrupts(kind: &Kind) -> Result<(), Flaw> {
    for interrupt in &kind.interrupts {
        defined(kind, &interrupt.family, "an interrupt")?;
        let one = interrupt.every_uses.is_some() != interrupt.every_days.is_some();
        let mean = interrupt.every_uses.or(interrupt.every_days).unwrap_or(0.0);
        hold(one && mean > 0.0, || {
            format!("interrupt `{}` needs either every_uses or every_days, above 0", interrupt.family)
        })?;
    }
    Ok(())
}

fn models(kind: &Kind) -> Result<(), Flaw> {
    let sum: f64 = kind.models.iter().map(|model| model.share).sum();
    hold((sum - 1.0).abs() < SHARE_TOLERANCE, || format!("model shares sum to {sum}: make it 1"))?;
    kind.models.iter().try_for_each(|model| codes(kind, model))
}

fn codes(kind: &Kind, model: &Model) -> Result<(), Flaw> {
    unique("code", model.codes.iter().map(|code| code.code.as_str()))?;
    for code in &model.codes {
        defined(kind, &code.family, &code.code)?;
    }
    for family in &kind.families {
        let spoken = model.codes.iter().any(|code| code.family == family.name);
        hold(spoken, || format!("model `{}` has no code for family `{}`: add one", model.model, family.name))?;
    }
    hold(!model.firmware.is_empty(), || format!("model `{}` has no firmware: name one", model.model))
}
