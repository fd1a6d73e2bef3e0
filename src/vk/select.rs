//! Which device the options ask for; a pure function of the list of devices.

use std::cmp::Reverse;

use super::device_info::DeviceInfo;
use crate::caps::DeviceKind;
use crate::options::Options;

/// The places in `devices` of those that fit, best first; never empty. Of a kind those come first that store
/// 16-bit floats, then those with larger limits.
///
/// # Errors
/// Why there is none, in words for the user.
pub(super) fn select(devices: &[DeviceInfo], options: &Options) -> Result<Vec<usize>, String> {
    if devices.is_empty() {
        return Err("no Vulkan device: the drivers that are installed offer none".into());
    }
    let named = match &options.device {
        Some(wanted) => {
            let found = matching(devices, wanted);
            if found.is_empty() {
                return Err(format!(
                    "no Vulkan device matches device={wanted}; there are: {}",
                    list(devices)
                ));
            }
            found
        }
        None => (0..devices.len()).collect(),
    };
    let usable: Vec<usize> = named.iter().copied().filter(|i| devices[*i].unusable.is_none()).collect();
    if usable.is_empty() {
        let why =
            |i: &usize| format!("{} {}", devices[*i], devices[*i].unusable.as_deref().unwrap_or_default());
        return Err(format!(
            "no Vulkan device can be used: {}",
            named.iter().map(why).collect::<Vec<_>>().join("; ")
        ));
    }
    let allowed = |i: &usize| options.allow_software || devices[*i].kind != DeviceKind::Software;
    let mut chosen: Vec<usize> = usable.iter().copied().filter(allowed).collect();
    if chosen.is_empty() {
        let software: Vec<_> = usable.iter().map(|i| devices[*i].clone()).collect();
        return Err(format!(
            "only software devices, which are slower than the CPU kernels: {}; allow_software=1 takes them",
            list(&software)
        ));
    }
    chosen.sort_by_key(|i| {
        let DeviceInfo { kind, stores_16, max_storage_range, max_invocations, .. } = &devices[*i];
        (rank(*kind), Reverse(*stores_16), Reverse(*max_storage_range), Reverse(*max_invocations), *i)
    });
    Ok(chosen)
}

/// What to tell the user if the option `device` fits several of the `chosen` ones.
pub(super) fn ambiguity(devices: &[DeviceInfo], chosen: &[usize], options: &Options) -> Option<String> {
    let wanted = options.device.as_ref().filter(|_| chosen.len() > 1)?;
    let matching: Vec<_> = chosen.iter().map(|i| devices[*i].clone()).collect();
    let first = matching.first()?.index;
    Some(format!("device={wanted} matches several devices, #{first} is taken: {}", list(&matching)))
}

/// An index, a UUID, or a part of the name. Numbers that are no index look into names only from
/// three digits on: `device=3060` means an RTX 3060, `device=3` means the fourth device.
fn matching(devices: &[DeviceInfo], wanted: &str) -> Vec<usize> {
    let wanted = wanted.trim();
    if let Ok(index) = wanted.parse::<usize>() {
        if index < devices.len() {
            return vec![index];
        }
        if wanted.len() < 3 {
            return Vec::new();
        }
    }
    if wanted.is_empty() {
        return Vec::new();
    }
    if let Some(uuid) = parse_uuid(wanted) {
        return (0..devices.len()).filter(|i| devices[*i].uuid == uuid).collect();
    }
    let part = wanted.to_lowercase();
    (0..devices.len()).filter(|i| devices[*i].name.to_lowercase().contains(&part)).collect()
}

/// 32 hexadecimal digits with or without dashes.
fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    if digits.len() != 32 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(&digits, 16).ok().map(u128::to_be_bytes)
}

fn rank(kind: DeviceKind) -> u32 {
    match kind {
        DeviceKind::Discrete => 0,
        DeviceKind::Integrated => 1,
        DeviceKind::Virtual => 2,
        DeviceKind::Other => 3,
        DeviceKind::Software => 4,
    }
}

fn list(devices: &[DeviceInfo]) -> String {
    devices.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(index: usize, name: &str, kind: DeviceKind) -> DeviceInfo {
        let unusable = name.contains("ancient").then(|| "offers Vulkan 1.0, 1.1 is needed".to_owned());
        DeviceInfo {
            index,
            name: name.into(),
            kind,
            uuid: [index as u8 + 0xa0; 16],
            driver: String::new(),
            driver_version: 0,
            vendor: 0,
            device: 0,
            api_version: 0,
            pipeline_cache_uuid: [0; 16],
            stores_16: false,
            max_storage_range: 1 << 27,
            max_invocations: 128,
            unusable,
        }
    }

    fn machine() -> Vec<DeviceInfo> {
        vec![
            device(0, "llvmpipe", DeviceKind::Software),
            device(1, "Arc 770", DeviceKind::Integrated),
            device(2, "RTX 3060", DeviceKind::Discrete),
            device(3, "ancient RTX", DeviceKind::Discrete),
        ]
    }

    fn asked(wanted: Option<&str>, allow_software: bool) -> Options {
        Options { device: wanted.map(Into::into), allow_software, ..Options::default() }
    }

    #[test]
    fn wishes_find_their_device() {
        let cases: &[(Option<&str>, bool, &[usize])] = &[
            (None, false, &[2, 1]),
            (None, true, &[2, 1, 0]),
            (Some("1"), false, &[1]),
            (Some("3060"), false, &[2]),
            (Some("rtx"), false, &[2]),
            (Some("arc"), true, &[1]),
            (Some("a1a1a1a1-a1a1-a1a1-a1a1-a1a1a1a1a1a1"), false, &[1]),
            (Some("A2A2A2A2A2A2A2A2A2A2A2A2A2A2A2A2"), false, &[2]),
            (Some("0"), true, &[0]),
        ];
        for (wanted, software, expected) in cases {
            assert_eq!(select(&machine(), &asked(*wanted, *software)), Ok(expected.to_vec()), "{wanted:?}");
        }
    }

    #[test]
    fn ties_go_to_the_device_that_can_do_more() {
        let plain = |index| device(index, "SwiftShader", DeviceKind::Software);
        let fp16 = |index| DeviceInfo { stores_16: true, ..plain(index) };
        let large = |index| DeviceInfo { max_storage_range: 1 << 30, ..plain(index) };
        let wide = |index| DeviceInfo { max_invocations: 1024, ..plain(index) };
        let best = |devices: Vec<DeviceInfo>| select(&devices, &asked(None, true)).unwrap();
        assert_eq!(best(vec![plain(0), fp16(1)]), [1, 0]);
        assert_eq!(best(vec![large(0), wide(1), plain(2), fp16(3)]), [3, 0, 1, 2]);
        assert_eq!(best(vec![plain(0), plain(1)]), [0, 1]);
        let gpu = DeviceInfo { kind: DeviceKind::Discrete, ..plain(1) };
        assert_eq!(best(vec![fp16(0), gpu]), [1, 0], "the kind comes first");
    }

    #[test]
    fn ambiguous_names_are_told() {
        let devices =
            [device(0, "RTX 3060", DeviceKind::Discrete), device(1, "RTX 4090", DeviceKind::Discrete)];
        let told = |wanted: Option<&str>| {
            let options = asked(wanted, false);
            ambiguity(&devices, &select(&devices, &options).unwrap(), &options)
        };
        let text = told(Some("rtx")).unwrap();
        assert!(text.starts_with("device=rtx matches several devices, #0 is taken: #0 RTX 3060"), "{text}");
        assert!(text.contains("#1 RTX 4090"), "{text}");
        assert_eq!((told(Some("4090")), told(None)), (None, None));
    }

    #[test]
    fn refusals_say_why() {
        let software = &machine()[..1];
        let cases: &[(&[DeviceInfo], Option<&str>, &[&str])] = &[
            (&[], None, &["no Vulkan device"]),
            (software, None, &["only software", "llvmpipe", "allow_software=1"]),
            (&machine(), Some("llvm"), &["only software", "#0 llvmpipe", "allow_software=1"]),
            (&machine(), Some("9"), &["device=9", "#0 llvmpipe", "#1 Arc 770", "#2 RTX 3060"]),
            (&machine(), Some("Radeon"), &["device=Radeon", "#2 RTX 3060 (discrete, uuid a2a2a2a2-a2a2-"]),
            (&machine(), Some(""), &["device="]),
            (&machine(), Some("ancient"), &["#3 ancient RTX", "Vulkan 1.0"]),
        ];
        for (devices, wanted, expected) in cases {
            let why = select(devices, &asked(*wanted, false)).unwrap_err();
            for part in *expected {
                assert!(why.contains(part), "{wanted:?}: {why} lacks {part}");
            }
        }
    }
}
