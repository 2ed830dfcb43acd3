//! What is known about devices, sites and calendars, with effective and recorded times.

use super::Layout;
use crate::cell::{Cause, Day, Text, UtcMicros};
use crate::schema::row;

pub(super) const DEVICES: Layout = Layout {
    partition: &[],
    sort: &["device", "valid_from"],
    stats: &["device", "site", "cause_partition", "cause_offset"],
};

pub(super) const SITES: Layout =
    Layout { partition: &[], sort: &["site", "valid_from"], stats: &["site", "cause_partition", "cause_offset"] };

pub(super) const CALENDARS: Layout = Layout {
    partition: &[],
    sort: &["site", "weekday", "from_minute"],
    stats: &["site", "cause_partition", "cause_offset"],
};

row! {
    /// One device as registered, true from `valid_from` to `valid_until`, known since `recorded_at`.
    DeviceRow {
        device: Text,
        site: Text,
        kind: Text,
        make: Option<Text>,
        model: Option<Text>,
        serial: Option<Text>,
        department: Option<Text>,
        room: Option<Text>,
        asset_number: Option<Text>,
        in_service_day: Option<Day>,
        end_of_support_day: Option<Day>,
        /// False from retirement on.
        in_service: bool,
        on_loan_to: Option<Text>,
        acquisition_cost_cents: Option<i64>,
        cost_centre: Option<Text>,
        ownership: Option<Text>,
        valid_from: UtcMicros,
        valid_until: Option<UtcMicros>,
        weight: i64,
        cause: Cause,
    }
}

row! {
    /// One site and the time zone that decides its local days.
    SiteRow {
        site: Text,
        name: Text,
        /// IANA name, e.g. America/New_York.
        time_zone: Text,
        region: Text,
        /// Simulated, and labelled so wherever it is shown.
        demo: bool,
        valid_from: UtcMicros,
        recorded_at: UtcMicros,
        weight: i64,
        cause: Cause,
    }
}

row! {
    /// One stretch of base hours in a week of a site, for all kinds or for one.
    CalendarRow {
        site: Text,
        kind: Option<Text>,
        /// 1 is Monday, 7 is Sunday.
        weekday: i32,
        /// Local minutes since midnight, a multiple of 15.
        from_minute: i32,
        until_minute: i32,
        /// Local day.
        valid_from: Day,
        recorded_at: UtcMicros,
        weight: i64,
        cause: Cause,
    }
}
