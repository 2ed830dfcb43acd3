//! What a voice may look at: the columns of a frame, in the order in which the feature query gives them.

use serde::{Deserialize, Serialize};

macro_rules! columns {
    ($(#[$about:meta])* $list:ident: $($variant:ident = $name:literal, $unit:literal, $says:literal;)*) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $list { $($variant,)* }

        impl $list {
            pub const ALL: [$list; [$($name),*].len()] = [$(Self::$variant),*];
            pub const COUNT: usize = Self::ALL.len();

            /// The name in the feature query and in files.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            pub const fn unit(self) -> &'static str {
                match self { $(Self::$variant => $unit,)* }
            }

            /// What it is, for the person who reads why a device is at risk.
            pub const fn says(self) -> &'static str {
                match self { $(Self::$variant => $says,)* }
            }

            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|column| column.as_str() == name)
            }

            pub const fn index(self) -> usize {
                self as usize
            }
        }
    };
}

columns! {
    /// Errors of one family of one device at one instant, whatever part they were told of: what rules may ask of a family by name.
    FamilyColumn:
    FamilyErrors1d = "family_errors_1d", "errors", "errors of the family in the last day";
    FamilyErrors3d = "family_errors_3d", "errors", "errors of the family in the last 3 days";
    FamilyErrors7d = "family_errors_7d", "errors", "errors of the family in the last 7 days";
    FamilyErrors14d = "family_errors_14d", "errors", "errors of the family in the last 14 days";
    FamilyErrors30d = "family_errors_30d", "errors", "errors of the family in the last 30 days";
    FamilyMajorErrors1d = "family_major_errors_1d", "errors", "major and critical errors of the family in the last day";
    FamilyMajorErrors3d = "family_major_errors_3d", "errors", "major and critical errors of the family in the last 3 days";
    FamilyMajorErrors7d = "family_major_errors_7d", "errors", "major and critical errors of the family in the last 7 days";
    FamilyMajorErrors14d = "family_major_errors_14d", "errors", "major and critical errors of the family in the last 14 days";
    FamilyMajorErrors30d = "family_major_errors_30d", "errors", "major and critical errors of the family in the last 30 days";
}

columns! {
    /// One feature of one part of one device at one instant. NaN where nothing is known.
    Column:
    PartErrors6h = "part_errors_6h", "errors", "errors of this part in the last 6 hours";
    PartErrors1d = "part_errors_1d", "errors", "errors of this part in the last day";
    PartErrors3d = "part_errors_3d", "errors", "errors of this part in the last 3 days";
    PartErrors7d = "part_errors_7d", "errors", "errors of this part in the last 7 days";
    PartErrors14d = "part_errors_14d", "errors", "errors of this part in the last 14 days";
    PartErrors30d = "part_errors_30d", "errors", "errors of this part in the last 30 days";
    PartErrorsTrend = "part_errors_trend", "errors per day", "errors of this part per day, last 3 days against the 27 before";
    PartMajorErrors1d = "part_major_errors_1d", "errors", "major and critical errors of this part in the last day";
    PartMajorErrors3d = "part_major_errors_3d", "errors", "major and critical errors of this part in the last 3 days";
    PartMajorErrors7d = "part_major_errors_7d", "errors", "major and critical errors of this part in the last 7 days";
    PartMajorErrors14d = "part_major_errors_14d", "errors", "major and critical errors of this part in the last 14 days";
    PartMajorErrors30d = "part_major_errors_30d", "errors", "major and critical errors of this part in the last 30 days";
    PartMajorErrorsTrend = "part_major_errors_trend", "errors per day", "major and critical errors of this part per day, last 3 days against the 27 before";
    LoudestFamilyErrors1d = "loudest_family_errors_1d", "errors", "errors of this part's commonest family in the last day";
    LoudestFamilyErrors3d = "loudest_family_errors_3d", "errors", "errors of this part's commonest family in the last 3 days";
    LoudestFamilyErrors7d = "loudest_family_errors_7d", "errors", "errors of this part's commonest family in the last 7 days";
    LoudestFamilyErrors14d = "loudest_family_errors_14d", "errors", "errors of this part's commonest family in the last 14 days";
    LoudestFamilyErrors30d = "loudest_family_errors_30d", "errors", "errors of this part's commonest family in the last 30 days";
    LoudestFamilyTrend = "loudest_family_trend", "errors per day", "errors of this part's commonest family per day, last 3 days against the 27 before";
    LifeErrors6h = "life_errors_6h", "errors", "errors of this part in the last 6 hours, since it last failed or was replaced";
    LifeErrors12h = "life_errors_12h", "errors", "errors of this part in the last 12 hours, since it last failed or was replaced";
    LifeErrors1d = "life_errors_1d", "errors", "errors of this part in the last day, since it last failed or was replaced";
    LifeErrors2d = "life_errors_2d", "errors", "errors of this part in the last 2 days, since it last failed or was replaced";
    LifeErrors3d = "life_errors_3d", "errors", "errors of this part in the last 3 days, since it last failed or was replaced";
    LifeErrors5d = "life_errors_5d", "errors", "errors of this part in the last 5 days, since it last failed or was replaced";
    LifeErrors7d = "life_errors_7d", "errors", "errors of this part in the last 7 days, since it last failed or was replaced";
    LifeErrors10d = "life_errors_10d", "errors", "errors of this part in the last 10 days, since it last failed or was replaced";
    LifeErrors14d = "life_errors_14d", "errors", "errors of this part in the last 14 days, since it last failed or was replaced";
    LifeErrors20d = "life_errors_20d", "errors", "errors of this part in the last 20 days, since it last failed or was replaced";
    LifeErrors30d = "life_errors_30d", "errors", "errors of this part in the last 30 days, since it last failed or was replaced";
    PartFamilies30d = "part_families_30d", "families", "families of errors that this part reported in the last 30 days";
    HoursSincePartError = "hours_since_part_error", "h", "time since the last error of this part";
    AllErrors1d = "all_errors_1d", "errors", "errors of the whole device in the last day";
    AllErrors7d = "all_errors_7d", "errors", "errors of the whole device in the last 7 days";
    AllErrors30d = "all_errors_30d", "errors", "errors of the whole device in the last 30 days";
    MajorErrors7d = "major_errors_7d", "errors", "major and critical errors of the device in the last 7 days";
    LifeUsed = "life_used", "share", "share of the maker's life limit used";
    PartAge = "part_age", "clock units", "age of the part on its own clock";
    PartPacePerDay = "part_pace_per_day", "clock units per day", "how fast the part ages";
    ProductiveHours7d = "productive_hours_7d", "h", "hours in use in the last 7 days";
    ProductiveHours30d = "productive_hours_30d", "h", "hours in use in the last 30 days";
    Stops7d = "stops_7d", "stops", "stops in the last 7 days that passed by themselves or not";
    Stops30d = "stops_30d", "stops", "stops in the last 30 days";
    DownHours30d = "down_hours_30d", "h", "hours down in the last 30 days";
    DaysSincePm = "days_since_pm", "d", "days since planned maintenance";
    DaysSinceFailure = "days_since_failure", "d", "days since the device last failed";
    DaysSincePartFailure = "days_since_part_failure", "d", "days since this part last failed";
    PartFailures365d = "part_failures_365d", "failures", "failures of this part in the last year";
    DaysSinceReplaced = "days_since_replaced", "d", "days since this part was replaced";
    DeviceAgeDays = "device_age_days", "d", "days since the device went into service";
    SiteErrorsPerDevice1d = "site_errors_per_device_1d", "errors per device", "errors of the other devices of the site in the last day";
    SiteUsePerDevice7d = "site_use_per_device_7d", "h per device", "hours in use of the other devices of the site in the last 7 days";
}
