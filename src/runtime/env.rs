//! The node's environment: the config's keys and their values.
//!
//! A key is set once and neither changed nor removed, so a value, once handed
//! out, stays where it is for as long as the process lives. C code keeps such
//! pointers, which is why the strings are leaked on purpose.

#![forbid(unsafe_code)]

use crate::error::{Error, Result};
use crate::sync::{Mutex, lock};
use once_cell::sync::OnceCell;
use std::collections::HashMap;
use std::ffi::CStr;

static ENV: OnceCell<Env> = OnceCell::new();

/// Creates the node's environment, empty.
///
/// # Errors
/// [`Error::AlreadyInitialised`] if there is one; it is left as it is.
pub fn init() -> Result<()> {
    ENV.set(Env::new())
        .map_err(|_| Error::AlreadyInitialised("environment"))
}

/// The node's environment.
///
/// # Errors
/// [`Error::NotInitialised`] before [`init`].
pub fn env() -> Result<&'static Env> {
    ENV.get().ok_or(Error::NotInitialised("environment"))
}

/// Keys and values. Any thread may read and set them.
pub struct Env {
    values: Mutex<HashMap<&'static CStr, &'static CStr>>,
}

impl Env {
    pub fn new() -> Self {
        Env {
            values: Mutex::new(HashMap::new()),
        }
    }

    /// The value of `key`, if it is set.
    pub fn get(&self, key: &CStr) -> Option<&'static CStr> {
        lock(&self.values).get(key).copied()
    }

    /// Sets `key`; both strings are copied.
    ///
    /// # Errors
    /// [`Error::KeyTaken`] if the key has a value, which it keeps.
    pub fn set(&self, key: &CStr, value: &CStr) -> Result<()> {
        let mut values = lock(&self.values);
        if values.contains_key(key) {
            return Err(Error::KeyTaken(key.to_string_lossy().into_owned()));
        }
        values.insert(leak(key), leak(value));
        Ok(())
    }
}

impl Default for Env {
    fn default() -> Self {
        Self::new()
    }
}

fn leak(text: &CStr) -> &'static CStr {
    Box::leak(text.into())
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn set_then_get() {
        let env = Env::new();
        assert_eq!(env.get(c"thread"), None);
        env.set(c"thread", c"8").unwrap();
        env.set(c"", c"").unwrap();
        assert_eq!(env.get(c"thread"), Some(c"8"));
        assert_eq!(env.get(c"threa"), None);
        assert_eq!(env.get(c""), Some(c""));
    }

    #[test]
    fn a_key_is_set_once() {
        let env = Env::new();
        env.set(c"harbor", c"1").unwrap();
        match env.set(c"harbor", c"2") {
            Err(Error::KeyTaken(key)) => assert_eq!(key, "harbor"),
            other => panic!("{other:?}"),
        }
        assert_eq!(env.get(c"harbor"), Some(c"1"));
    }

    #[test]
    fn values_stay_in_place() {
        let env = Env::new();
        env.set(c"first", c"1").unwrap();
        let place = env.get(c"first").unwrap().as_ptr();
        for i in 0..1000 {
            let key = std::ffi::CString::new(format!("key{i}")).unwrap();
            env.set(&key, c"x").unwrap();
        }
        assert_eq!(env.get(c"first").unwrap().as_ptr(), place);
    }

    #[test]
    fn one_of_many_threads_sets_a_key() {
        let env = Env::new();
        let winners = thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| env.set(c"key", c"value").is_ok()))
                .collect();
            threads
                .into_iter()
                .map(|t| usize::from(t.join().unwrap()))
                .sum::<usize>()
        });
        assert_eq!(winners, 1);
    }
}
