//! Which of the names that sound systems list are devices as people know them.

/// False for what a sound server has in place of a device: what a speaker plays, as a source, and the sink to nowhere.
pub fn is_real_name(id: &str) -> bool {
    !(id.ends_with(".monitor") || id == "auto_null")
}

/// False for what a sound system lists beside real devices: what a server makes up, and ALSA's plugins and second ways to
/// the same card.
pub fn is_meant_for_people(id: &str) -> bool {
    let plugins = [
        "null",
        "lavrate",
        "samplerate",
        "speexrate",
        "speex",
        "upmix",
        "vdownmix",
        "jack",
        "oss",
        "pulse",
        "pipewire",
    ];
    let ways = [
        "hw:",
        "sysdefault",
        "front:",
        "rear:",
        "center_lfe:",
        "side:",
        "surround",
        "iec958",
        "dmix:",
        "dsnoop:",
        "hdmi:",
        "usbstream:",
        "modem:",
        "phoneline:",
    ];
    let numbered = id.strip_prefix("plughw:CARD=").is_some_and(|card| card.starts_with(|c: char| c.is_ascii_digit()));
    is_real_name(id) && !(plugins.contains(&id) || ways.iter().any(|way| id.starts_with(way)) || numbered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_devices_that_people_know_are_listed() {
        let check = |id: &str, expect: bool| assert_eq!(is_meant_for_people(id), expect, "{id}");
        check("alsa_input.usb-Logitech_H390-00.mono-fallback", true);
        check("alsa_output.pci-0000_00_1f.3.analog-stereo.monitor", false);
        check("default", true);
        check("plughw:CARD=PCH,DEV=0", true);
        check("plughw:CARD=0,DEV=0", false);
        check("hw:CARD=PCH,DEV=0", false);
        check("surround51:CARD=PCH,DEV=0", false);
        check("null", false);
        check("auto_null", false);
    }
}
