//! The devices of one kind, as a picker shows them.

use std::collections::BTreeMap;

use crate::engine::devices::{Devices, Kind};
use crate::ui::text::lobby as words;

/// A device in a picker: what is shown, and how it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pick {
    /// As `av::spec` writes it.
    pub spec: String,
    /// For people.
    pub name: String,
}

impl std::fmt::Display for Pick {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

/// What can be chosen of a kind: the default, what is plugged in, none; last what is chosen and not there. The second is
/// the chosen one.
pub fn picks(devices: Option<&Devices>, kind: Kind, chosen: &str) -> (Vec<Pick>, Option<Pick>) {
    let pick = |spec: &str, name: &str| Pick { spec: spec.to_owned(), name: name.to_owned() };
    let mut all = vec![pick("device", words::DEFAULT_DEVICE)];
    let mut seen = BTreeMap::new();
    for device in devices.iter().flat_map(|devices| devices.of(kind)) {
        let place = seen.entry(device.name.as_str()).and_modify(|place| *place += 1).or_insert(1);
        // A name is known again in another socket; of several with one name only the first is found by it.
        all.push(match *place {
            1 => Pick { spec: format!("device:{}", device.name), name: device.name.clone() },
            place => Pick { spec: format!("device:{}", device.id), name: words::another(&device.name, place) },
        });
    }
    all.push(pick("none", words::NO_DEVICE));
    if all.iter().all(|pick| pick.spec != chosen) {
        // Chosen once and not plugged in now, or from the command line.
        let name = chosen.strip_prefix("device:").map_or_else(|| chosen.to_owned(), words::not_there);
        all.push(Pick { spec: chosen.to_owned(), name });
    }
    let selected = all.iter().find(|pick| pick.spec == chosen).cloned();
    (all, selected)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::devices::Device;

    #[test]
    fn an_unplugged_device_stays_chosen() {
        let devices = Devices::new([
            Device::new(Kind::Camera, "Desk", "video0", true),
            Device::new(Kind::Camera, "Desk", "video2", false),
            Device::new(Kind::Microphone, "Headset", "hw:1", true),
            Device::new(Kind::Camera, "Desk", "video4", false),
        ]);
        let names = |devices, chosen| -> (Vec<String>, String) {
            let (all, selected) = picks(devices, Kind::Camera, chosen);
            (all.iter().map(ToString::to_string).collect(), selected.expect("always one").name)
        };
        let (all, selected) = names(Some(&devices), "device:Gone");
        assert_eq!(all, ["System default", "Desk", "Desk (2)", "Desk (3)", "None", "Gone (not plugged in)"]);
        assert_eq!(selected, "Gone (not plugged in)");
        assert_eq!(names(Some(&devices), "device:Desk").1, "Desk");
        // What was picked is what is opened.
        let (all, _) = picks(Some(&devices), Kind::Camera, "device");
        let opened: Vec<Option<&str>> = all[1..4]
            .iter()
            .map(|pick| match pick.spec.parse().expect("a camera") {
                crate::av::spec::Camera::Device(choice) => devices.find(Kind::Camera, &choice).map(|d| d.id.as_str()),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(opened, [Some("video0"), Some("video2"), Some("video4")]);
        assert_eq!(
            names(None, "testcard"),
            (vec!["System default".into(), "None".into(), "testcard".into()], "testcard".into())
        );
    }
}
