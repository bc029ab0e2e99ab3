//! `lets-meet devices`: the cameras, microphones, speakers and screens of this machine, and the words that choose them.

use serde_json::json;

use super::output::Output;
use super::{Exit, Failure, code};
use crate::engine::devices::{self, BUILT, Devices, Kind, NOT_BUILT};
use crate::meeting::Code;

/// Lists them. None at all is no error.
pub fn run(output: &Output) -> Result<Exit, Failure> {
    if !BUILT {
        let message = format!("{}; build it with the feature devices.", NOT_BUILT.replacen("this", "This", 1));
        return Err(Failure::new(Exit::Device, code::Word::from(Code::NoMedia), message));
    }
    let devices = devices::list();
    if output.is_json() {
        for (index, device) in numbered(&devices) {
            let mut fields = json!({
                "kind": device.kind.as_str(),
                "index": index,
                "name": device.name,
                "id": device.id,
                "default": device.is_default,
            });
            if let Some((width, height)) = device.size {
                fields["width"] = width.into();
                fields["height"] = height.into();
            }
            output.event("device", fields);
        }
    } else {
        for line in lines(&devices) {
            output.line(&line);
        }
    }
    Ok(Exit::Done)
}

/// Each with the number that `device:N` takes.
fn numbered(devices: &Devices) -> impl Iterator<Item = (usize, &devices::Device)> {
    Kind::ALL.into_iter().flat_map(|kind| devices.of(kind).enumerate())
}

/// For people.
fn lines(devices: &Devices) -> Vec<String> {
    let mut lines = Vec::new();
    for kind in Kind::ALL {
        lines.push(format!("{}s", kind.as_str()));
        for ((index, device), (name, _)) in devices.of(kind).enumerate().zip(devices.named(kind)) {
            let default = if device.is_default { " (default)" } else { "" };
            match device.size {
                // Its id is the word that chooses it.
                Some((width, height)) => {
                    lines.push(format!("  {:<18} {} ({width}x{height}){default}", device.id, device.name));
                }
                None => lines.push(format!("  device:{index:<3} {name}{default}")),
            }
        }
        if devices.of(kind).next().is_none() {
            lines.push("  none found".to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use devices::Device;

    #[test]
    fn each_device_has_the_number_that_chooses_it() {
        let devices = Devices::new([
            Device::new(Kind::Microphone, "Headset", "b", false),
            Device::new(Kind::Camera, "Webcam", "/dev/video0", true),
            Device::new(Kind::Microphone, "Built-in", "a", true),
            Device::new(Kind::Microphone, "Headset", "c", false),
            Device::new(Kind::Screen, "Display 1", "display:0", true).sized(1920, 1080),
            Device::new(Kind::Screen, "Editor", "window:0x1c00003", false).sized(800, 600),
        ]);
        assert_eq!(
            lines(&devices),
            [
                "cameras",
                "  device:0   Webcam (default)",
                "microphones",
                "  device:0   Headset",
                "  device:1   Built-in (default)",
                "  device:2   Headset (2)",
                "speakers",
                "  none found",
                "screens",
                "  display:0          Display 1 (1920x1080) (default)",
                "  window:0x1c00003   Editor (800x600)",
            ]
        );
        let numbers: Vec<(usize, &str)> = numbered(&devices).map(|(n, device)| (n, device.name.as_str())).collect();
        let expect = [(0, "Webcam"), (0, "Headset"), (1, "Built-in"), (2, "Headset"), (0, "Display 1"), (1, "Editor")];
        assert_eq!(numbers, expect);
    }
}
