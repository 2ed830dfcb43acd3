//! The fifteen kinds of equipment medfleet covers.

use serde::{Deserialize, Serialize};

use crate::Invalid;

macro_rules! kinds {
    ($($variant:ident = $name:literal, $title:literal;)*) => {
        /// A kind of medical equipment.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum DeviceKind { $($variant,)* /// Equipment outside the catalogue (imports, test fleets).
            Other }

        impl DeviceKind {
            pub const CATALOGUE: [DeviceKind; 15] = [$(Self::$variant,)*];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* Self::Other => "other" }
            }

            /// The name people read.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* Self::Other => "Other equipment" }
            }
        }
    };
}

kinds! {
    SurgicalRobot = "surgical_robot", "Surgical robot";
    VrAi = "vr_ai", "VR and AI system";
    Anesthesia = "anesthesia", "Anesthesia machine";
    Defibrillator = "defibrillator", "Defibrillator";
    Ct = "ct", "CT";
    Mri = "mri", "MRI";
    Xray = "xray", "X-ray";
    Injector = "injector", "Contrast injector";
    Ultrasound = "ultrasound", "Diagnostic ultrasound";
    PatientMonitor = "patient_monitor", "Patient monitoring";
    InfusionPump = "infusion_pump", "Infusion pump";
    FetalMonitor = "fetal_monitor", "Fetal monitor";
    Ventilator = "ventilator", "Ventilator";
    Sterilizer = "sterilizer", "Sterilizer";
    Laser = "laser", "Laser";
}

impl DeviceKind {
    /// Whether maintenance is what the manufacturer prescribes, and no schedule of the department's own may take its place:
    /// imaging with all that belongs to it, and lasers. The catalogue says the same by `aem_eligible`.
    pub const fn keeps_makers_schedule(self) -> bool {
        matches!(self, Self::Ct | Self::Mri | Self::Xray | Self::Injector | Self::Ultrasound | Self::Laser)
    }

    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let known = Self::CATALOGUE.into_iter().chain([Self::Other]);
        known.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| Invalid::Name {
            what: "device kind",
            value: text.chars().take(64).collect(),
            cure: "use one of the catalogue's kinds, or other",
        })
    }
}
