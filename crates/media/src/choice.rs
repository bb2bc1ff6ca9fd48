//! Remembers which microphone, speaker and ring device somebody uses with which set of devices.
//!
//! At the desk the headset, on the way the laptop: a choice belongs to the devices that were
//! there when it was made, and comes back with them.

use serde::{Deserialize, Serialize};

use crate::config::{Microphone, Speaker};
use crate::device::{DeviceInfo, Direction};

/// Sets that are remembered; the one used longest ago is forgotten first.
const SETS: usize = 32;

/// What somebody uses. `None` is what the system calls its default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceChoice {
    /// The id of the microphone.
    #[serde(default)]
    pub microphone: Option<String>,
    /// The id of the speaker.
    #[serde(default)]
    pub speaker: Option<String>,
    /// The id of the speaker that rings.
    #[serde(default)]
    pub ring: Option<String>,
}

impl DeviceChoice {
    /// The microphone of a call.
    pub fn microphone(&self) -> Microphone {
        self.microphone.clone().map_or(Microphone::Default, Microphone::Device)
    }

    /// The speaker of a call.
    pub fn speaker(&self) -> Speaker {
        self.speaker.clone().map_or(Speaker::Default, Speaker::Device)
    }

    /// The speaker that rings.
    pub fn ring(&self) -> Speaker {
        self.ring.clone().map_or(Speaker::Default, Speaker::Device)
    }
}

/// The choices somebody made; to be kept by the caller.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DeviceChoices {
    /// The last used one is last.
    sets: Vec<Remembered>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Remembered {
    /// The ids that were there, sorted.
    present: Vec<String>,
    choice: DeviceChoice,
}

impl DeviceChoices {
    /// Keeps a choice for the devices that are there now.
    pub fn remember(&mut self, present: &[DeviceInfo], choice: DeviceChoice) {
        let present = ids(present);
        self.sets.retain(|known| known.present != present);
        self.sets.push(Remembered { present, choice });
        let surplus = self.sets.len().saturating_sub(SETS);
        self.sets.drain(..surplus);
    }

    /// What to use with the devices that are there now.
    ///
    /// For a set that is new, the last choice of each kind whose device is there; a device that
    /// is not there is never given.
    pub fn recall(&self, present: &[DeviceInfo]) -> DeviceChoice {
        let ids = ids(present);
        if let Some(known) = self.sets.iter().find(|known| known.present == ids) {
            return known.choice.clone();
        }
        let is_there =
            |id: &str, direction| present.iter().any(|device| device.id == id && device.direction == direction);
        let last = |pick: fn(&DeviceChoice) -> &Option<String>, direction| {
            let mut picked = self.sets.iter().rev().filter_map(|known| pick(&known.choice).as_ref());
            picked.find(|id| is_there(id, direction)).cloned()
        };
        DeviceChoice {
            microphone: last(|choice| &choice.microphone, Direction::Input),
            speaker: last(|choice| &choice.speaker, Direction::Output),
            ring: last(|choice| &choice.ring, Direction::Output),
        }
    }
}

fn ids(present: &[DeviceInfo]) -> Vec<String> {
    let mut ids: Vec<_> = present.iter().map(|device| device.id.clone()).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    fn devices(names: &[&str]) -> Vec<DeviceInfo> {
        let device = |name: &&str| {
            let direction = if name.ends_with("mic") { Direction::Input } else { Direction::Output };
            DeviceInfo { id: (*name).to_owned(), name: (*name).to_owned(), direction, default: false }
        };
        names.iter().map(device).collect()
    }

    fn choice(microphone: &str, speaker: &str) -> DeviceChoice {
        DeviceChoice { microphone: Some(microphone.into()), speaker: Some(speaker.into()), ring: None }
    }

    #[test]
    fn each_place_has_its_own_choice() {
        let (desk, train) = (devices(&["laptop-mic", "laptop", "usb-mic", "usb"]), devices(&["laptop-mic", "laptop"]));
        let mut choices = DeviceChoices::default();
        choices.remember(&desk, choice("usb-mic", "usb"));
        choices.remember(&train, choice("laptop-mic", "laptop"));
        let other_order = devices(&["usb", "usb-mic", "laptop", "laptop-mic"]);
        assert_eq!(choices.recall(&other_order), choice("usb-mic", "usb"));
        assert_eq!(choices.recall(&train), choice("laptop-mic", "laptop"));
        let kept = serde_json::to_string(&choices).unwrap();
        assert_eq!(serde_json::from_str::<DeviceChoices>(&kept).unwrap(), choices);
    }

    #[test]
    fn in_a_new_place_the_last_device_that_is_there_is_used_and_never_one_that_is_not() {
        let mut choices = DeviceChoices::default();
        assert_eq!(choices.recall(&devices(&["laptop"])), DeviceChoice::default());
        choices.remember(&devices(&["laptop-mic", "laptop", "usb-mic", "usb"]), choice("usb-mic", "usb"));
        let meeting_room = devices(&["laptop-mic", "laptop", "usb-mic", "big"]);
        let recalled = choices.recall(&meeting_room);
        assert_eq!((recalled.microphone.as_deref(), recalled.speaker), (Some("usb-mic"), None));
        // The same id the other way round is another device.
        choices.remember(&devices(&["x"]), choice("big", "big"));
        assert_eq!(choices.recall(&meeting_room).microphone.as_deref(), Some("usb-mic"));
    }

    #[test]
    fn what_is_remembered_does_not_grow_without_end() {
        let mut choices = DeviceChoices::default();
        for n in 0..100 {
            choices.remember(&devices(&[&format!("{n}-mic")]), choice(&format!("{n}-mic"), "laptop"));
        }
        assert_eq!(choices.sets.len(), SETS);
        assert_eq!(choices.recall(&devices(&["99-mic"])).microphone.as_deref(), Some("99-mic"));
    }
}
