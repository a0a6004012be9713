//! The settings that the node itself reads. Those that the config leaves out get
//! their defaults, in the environment too, where Lua programs look them up.

use skynet::runtime::env::Env;
use skynet::runtime::start::Config;
use std::ffi::CStr;
use std::ops::RangeInclusive;

const THREADS: RangeInclusive<u32> = 1..=1024;
const HARBORS: RangeInclusive<u32> = 0..=255;
/// When built-in modules are taken, relative to files.
const BUILTIN: [&CStr; 3] = [c"first", c"last", c"off"];

/// A node's settings.
#[derive(Debug)]
pub struct Node {
    threads: u32,
    harbor: u32,
    profile: bool,
    daemon: Option<&'static CStr>,
    module_path: &'static CStr,
    bootstrap: &'static CStr,
    logger: Option<&'static CStr>,
    log_service: &'static CStr,
}

impl Node {
    /// Reads the settings, and writes the defaults of those that are missing.
    ///
    /// # Errors
    /// A text that names the key whose value is wrong.
    pub fn from_environment(env: &Env) -> Result<Self, String> {
        let builtin = text(env, c"builtin", c"first")?;
        if !BUILTIN.contains(&builtin) {
            return Err(format!(
                "Invalid builtin {}, should be first, last or off",
                builtin.to_string_lossy()
            ));
        }
        Ok(Self {
            threads: number(env, c"thread", c"8", &THREADS)?,
            harbor: number(env, c"harbor", c"1", &HARBORS)?,
            profile: text(env, c"profile", c"true")? == c"true",
            daemon: env.get(c"daemon"),
            module_path: text(env, c"cpath", c"./cservice/?.so")?,
            bootstrap: text(env, c"bootstrap", c"snlua bootstrap")?,
            logger: env.get(c"logger"),
            log_service: text(env, c"logservice", c"logger")?,
        })
    }

    /// The settings as the core takes them.
    pub fn config(&self) -> Config<'_> {
        Config {
            threads: self.threads as usize,
            harbor: self.harbor,
            profile: self.profile,
            daemon: self.daemon,
            module_path: self.module_path,
            bootstrap: self.bootstrap,
            logger: self.logger,
            log_service: self.log_service,
        }
    }
}

fn text(env: &Env, key: &CStr, default: &CStr) -> Result<&'static CStr, String> {
    if let Some(value) = env.get(key) {
        return Ok(value);
    }
    env.set(key, default).map_err(|error| error.to_string())?;
    let value = env.get(key);
    value.ok_or_else(|| format!("{} was set and is gone", key.to_string_lossy()))
}

/// A whole number in a range. Lua may have written it as a float.
fn number(
    env: &Env,
    key: &CStr,
    default: &CStr,
    range: &RangeInclusive<u32>,
) -> Result<u32, String> {
    let value = text(env, key, default)?;
    let value = value.to_string_lossy();
    let whole = value.trim();
    let whole = whole.strip_suffix(".0").unwrap_or(whole);
    let number: Option<u32> = whole.parse().ok();
    number
        .filter(|number| range.contains(number))
        .ok_or_else(|| {
            format!(
                "Invalid {} {value} , should be in [{},{}]",
                key.to_string_lossy(),
                range.start(),
                range.end()
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;

    fn with(pairs: &[(&str, &str)]) -> Env {
        let env = Env::new();
        for (key, value) in pairs {
            let own = |text: &str| CString::new(text).unwrap();
            env.set(&own(key), &own(value)).unwrap();
        }
        env
    }

    #[test]
    fn defaults_are_written() {
        let env = with(&[]);
        let node = Node::from_environment(&env).unwrap();
        assert_eq!(node.threads, 8);
        assert_eq!(node.harbor, 1);
        assert!(node.profile);
        assert_eq!(node.logger, None);
        assert_eq!(node.bootstrap, c"snlua bootstrap");
        assert_eq!(env.get(c"thread"), Some(c"8"));
        assert_eq!(env.get(c"cpath"), Some(c"./cservice/?.so"));
        assert_eq!(env.get(c"logger"), None);
    }

    #[test]
    fn settings_are_read() {
        let env = with(&[("thread", "2.0"), ("harbor", "0"), ("profile", "false")]);
        let node = Node::from_environment(&env).unwrap();
        assert_eq!((node.threads, node.harbor, node.profile), (2, 0, false));
    }

    #[test]
    fn wrong_values_are_named() {
        for (key, value) in [
            ("thread", "0"),
            ("thread", "1025"),
            ("thread", "many"),
            ("harbor", "256"),
            ("harbor", "-1"),
            ("builtin", "never"),
        ] {
            let error = Node::from_environment(&with(&[(key, value)])).unwrap_err();
            assert!(error.contains(key) && error.contains(value), "{error}");
        }
    }
}
