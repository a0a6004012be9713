//! Model checks of a service's life: who looks it up in the registry while
//! another thread retires it. `ci/loom` runs them.
//!
//! Loom sees neither the epoch nor the pointer to the table that it guards, so
//! that pins suffice and that a growing table hides nobody is not checked here;
//! that slots, references and the mailbox agree is.

use super::{Service, ServiceRef, give_up};
use crate::runtime::mailbox::Runnable;
use crate::runtime::message::{Message, Payload};
use crate::runtime::module::{Instance, Module};
use crate::runtime::registry::Registry;
use loom::sync::Arc;
use loom::thread;
use skynet_abi::module::skynet_module;
use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

unsafe extern "C-unwind" fn init(
    _: *mut c_void,
    _: *mut skynet_abi::skynet_context,
    _: *const c_char,
) -> c_int {
    0
}

unsafe extern "C-unwind" fn release(instance: *mut c_void) {
    // SAFETY: the instances of this module are leaked counters.
    unsafe { &*instance.cast::<AtomicUsize>() }.fetch_add(1, Ordering::SeqCst);
}

fn module() -> &'static Module {
    static MODULE: OnceLock<&'static Module> = OnceLock::new();
    MODULE.get_or_init(|| {
        let raw = Box::leak(Box::new(skynet_module {
            name: c"model".as_ptr(),
            module: ptr::null_mut(),
            create: None,
            init: Some(init),
            release: Some(release),
            signal: None,
        }));
        // SAFETY: a `Module` is its C form, and this one is leaked.
        unsafe { Module::from_ptr(raw) }.unwrap()
    })
}

/// A registered service whose mailbox is idle, and how often its instance was
/// released.
struct Scene {
    registry: Registry,
    handle: u32,
    released: &'static AtomicUsize,
}

impl Scene {
    fn new() -> Arc<Self> {
        let registry = Registry::new(0);
        let (service, released) = new_service();
        let handle = registry.register(&service).unwrap();
        assert_eq!(service.first_right().settle(), None);
        Arc::new(Self {
            registry,
            handle,
            released,
        })
    }

    fn released(&self) -> usize {
        self.released.load(Ordering::SeqCst)
    }

    /// Looks the service up as a sender does, without a reference of its own.
    /// True when the mailbox took the message.
    fn send(&self) -> bool {
        let guard = &crossbeam_epoch::pin();
        let Some(service) = self.registry.find(self.handle, guard) else {
            return false;
        };
        match service.mailbox().push(message()) {
            Ok(right) => {
                right.into_iter().for_each(|right| self.run(right));
                true
            }
            Err(_refused) => false,
        }
    }

    /// What a slice does.
    fn run(&self, mut right: Runnable) {
        loop {
            // SAFETY: the service is not freed while its right exists.
            let Some(service) = (unsafe { &*right.mailbox().owner() }).try_grab() else {
                return give_up(right);
            };
            while !service.is_retired() && right.take().is_some() {
                assert_eq!(
                    self.released(),
                    0,
                    "handled by an instance that is released"
                );
            }
            let retired = service.is_retired();
            drop(service);
            if retired {
                return give_up(right);
            }
            match right.settle() {
                Some(more) => right = more,
                None => return,
            }
        }
    }
}

fn new_service() -> (ServiceRef, &'static AtomicUsize) {
    let released: &'static AtomicUsize = Box::leak(Box::new(AtomicUsize::new(0)));
    // SAFETY: a counter is what this module takes for an instance.
    let instance =
        unsafe { Instance::from_raw(module(), ptr::from_ref(released).cast_mut().cast()) };
    let service = Service::allocate(instance);
    // The node, which counts the others, is not part of the model.
    service
        .reserved
        .store(true, crate::sync::atomic::Ordering::Relaxed);
    (service, released)
}

fn message() -> Message {
    // Nobody to answer: routing an answer is not part of the model either.
    Message::new(0, 1, 0, Payload::empty())
}

#[test]
fn lookup_and_retire() {
    loom::model(|| {
        let scene = Scene::new();
        let reader = {
            let scene = Arc::clone(&scene);
            thread::spawn(move || {
                if let Some(service) = scene.registry.grab(scene.handle) {
                    assert_eq!(scene.released(), 0, "a reference keeps the instance");
                    assert_eq!(service.handle(), scene.handle);
                }
            })
        };
        drop(scene.registry.retire(scene.handle).unwrap());
        assert!(scene.registry.grab(scene.handle).is_none());
        reader.join().unwrap();
        assert_eq!(scene.released(), 1);
        assert!(scene.registry.handles().is_empty());
    });
}

#[test]
fn retired_once() {
    loom::model(|| {
        let scene = Scene::new();
        let other = {
            let scene = Arc::clone(&scene);
            thread::spawn(move || scene.registry.retire(scene.handle).is_some())
        };
        let here = scene.registry.retire(scene.handle).is_some();
        let there = other.join().unwrap();
        assert!(here != there, "exactly one thread retires a service");
        assert_eq!(scene.released(), 1);
    });
}

#[test]
fn send_and_retire() {
    loom::model(|| {
        let scene = Scene::new();
        let sender = {
            let scene = Arc::clone(&scene);
            thread::spawn(move || {
                let first = scene.send();
                let second = scene.send();
                assert!(
                    first || !second,
                    "a service that is gone does not come back"
                );
            })
        };
        drop(scene.registry.retire(scene.handle).unwrap());
        assert!(!scene.send());
        sender.join().unwrap();
        assert_eq!(scene.released(), 1);
    });
}
