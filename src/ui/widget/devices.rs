//! The devices of one kind, as a picker shows them.

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

/// What can be chosen of a kind: the default, what is plugged in, each with a name of its own, none; last what is chosen and
/// not there. The second is the chosen one.
pub fn picks(devices: Option<&Devices>, kind: Kind, chosen: &str) -> (Vec<Pick>, Option<Pick>) {
    let pick = |spec: &str, name: &str| Pick { spec: spec.to_owned(), name: name.to_owned() };
    let named = devices.map(|devices| devices.named(kind)).unwrap_or_default();
    let there: Vec<Pick> = named.into_iter().map(|(name, choice)| Pick { spec: choice.to_string(), name }).collect();
    // By another of its words, as from the command line.
    let place = devices.and_then(|devices| devices.place_of_word(kind, chosen));
    let meant = place.and_then(|place| there.get(place)).cloned();
    let mut all = vec![pick("device", words::DEFAULT_DEVICE)];
    all.extend(there);
    all.push(pick("none", words::NO_DEVICE));
    let selected = meant.or_else(|| all.iter().find(|pick| pick.spec == chosen).cloned()).unwrap_or_else(|| {
        // Chosen once and not plugged in now, or from the command line.
        let name = chosen.strip_prefix("device:").map(|name| name.strip_prefix('=').unwrap_or(name));
        let name = name.map_or_else(|| chosen.to_owned(), words::not_there);
        let gone = Pick { spec: chosen.to_owned(), name };
        all.push(gone.clone());
        gone
    });
    (all, Some(selected))
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
        assert_eq!(names(Some(&devices), "device:=Des").1, "Des (not plugged in)", "a part of a name is not the name");
        let (all, selected) = names(Some(&devices), "device:Gone");
        assert_eq!(all, ["System default", "Desk", "Desk (2)", "Desk (3)", "None", "Gone (not plugged in)"]);
        assert_eq!(selected, "Gone (not plugged in)");
        assert_eq!(names(Some(&devices), "device:Desk").1, "Desk");
        assert_eq!(names(Some(&devices), "device:video2").1, "Desk (2)");
        assert_eq!(names(Some(&devices), "device:1").1, "Desk (2)");
        let (all, _) = picks(Some(&devices), Kind::Camera, "device");
        let specs: Vec<&str> = all.iter().map(|pick| pick.spec.as_str()).collect();
        assert_eq!(specs, ["device", "device:=Desk", "device:=video2", "device:=video4", "none"]);
        // What was picked is what is opened.
        let opened: Vec<Option<&str>> = all[1..4]
            .iter()
            .map(|pick| match pick.spec.parse().expect("a camera") {
                crate::av::spec::Camera::Device(choice) => devices.find(Kind::Camera, &choice).map(|d| d.id.as_str()),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(opened, [Some("video0"), Some("video2"), Some("video4")]);
        // One of the two is left: it is the one that was chosen, and the only one of its name.
        let left = Devices::new([Device::new(Kind::Camera, "Desk", "video2", true)]);
        assert_eq!(
            names(Some(&left), "device:video2"),
            (vec!["System default".into(), "Desk".into(), "None".into()], "Desk".into())
        );
        assert_eq!(
            names(None, "testcard"),
            (vec!["System default".into(), "None".into(), "testcard".into()], "testcard".into())
        );
    }
}
