//! The registry: services by handle and by local name.
//!
//! Lookups write nothing that another thread reads: they pin an epoch, read the
//! table and borrow the service. Registering and retiring take turns on a lock;
//! a table that grew or a list of names that changed is swapped in whole, and
//! the old one is freed when no lookup can see it any more.

use super::service::{Service, ServiceRef};
use crate::error::{Error, Result};
use crate::sync::atomic::{AtomicPtr, Ordering};
use crate::sync::{Mutex, lock};
use crossbeam_epoch::{self as epoch, Atomic, Guard, Owned, Shared};
use once_cell::sync::OnceCell;
use skynet_abi::handle::{HANDLE_MASK, HANDLE_REMOTE_SHIFT};
use std::ffi::{CStr, CString, c_char};
use std::ptr::{self, NonNull};

/// Slots of a new registry.
const INITIAL_SLOTS: usize = 4;

static REGISTRY: OnceCell<Registry> = OnceCell::new();

/// Makes the node's registry. `harbor` is this node's number, 0 to 255.
///
/// # Errors
/// It was made before.
pub fn init(harbor: u32) -> Result<()> {
    REGISTRY
        .set(Registry::new(harbor))
        .map_err(|_| Error::AlreadyInitialised("handle registry"))
}

/// The node's registry.
///
/// # Errors
/// It is not made yet.
#[inline]
pub fn get() -> Result<&'static Registry> {
    REGISTRY
        .get()
        .ok_or(Error::NotInitialised("handle registry"))
}

/// All services of the node, and their names.
#[derive(Debug)]
pub struct Registry {
    table: Atomic<Table>,
    names: Atomic<Names>,
    writer: Mutex<Writer>,
    /// The harbor in a handle's high bits.
    harbor: u32,
}

/// What only registering threads know.
#[derive(Debug)]
struct Writer {
    next: u32,
}

/// Services, each in the slot that its handle's low bits say.
#[derive(Debug)]
struct Table {
    slots: Box<[AtomicPtr<Service>]>,
}

/// Names, sorted.
#[derive(Debug, Default)]
struct Names {
    entries: Vec<Name>,
}

#[derive(Debug, Clone, Copy)]
struct Name {
    text: NonNull<c_char>,
    handle: u32,
}

impl Name {
    fn as_cstr(&self) -> &CStr {
        // SAFETY: the text is a `CString` given to the list of names, and freed
        // only when no list with it can be seen.
        unsafe { CStr::from_ptr(self.text.as_ptr()) }
    }
}

// SAFETY: the text is never written after it was made.
unsafe impl Send for Names {}
// SAFETY: as above.
unsafe impl Sync for Names {}

impl Table {
    fn new(size: usize) -> Self {
        Self {
            slots: (0..size).map(|_| AtomicPtr::default()).collect(),
        }
    }

    fn slot(&self, handle: u32) -> &AtomicPtr<Service> {
        &self.slots[handle as usize & (self.slots.len() - 1)]
    }
}

impl Registry {
    /// An empty registry of the node with the given harbor, 0 to 255.
    pub fn new(harbor: u32) -> Self {
        Self {
            table: Atomic::new(Table::new(INITIAL_SLOTS)),
            names: Atomic::new(Names::default()),
            writer: Mutex::new(Writer { next: 1 }),
            harbor: (harbor & 0xff) << HANDLE_REMOTE_SHIFT,
        }
    }

    fn table<'g>(&self, guard: &'g Guard) -> &'g Table {
        // SAFETY: the table is never null, and the pin keeps it from being freed.
        unsafe { self.table.load(Ordering::Acquire, guard).deref() }
    }

    fn names<'g>(&self, guard: &'g Guard) -> &'g Names {
        // SAFETY: as for the table.
        unsafe { self.names.load(Ordering::Acquire, guard).deref() }
    }

    /// Gives a service its handle and makes it known. The registry takes a
    /// reference of its own.
    ///
    /// # Errors
    /// Every handle is in use.
    pub fn register(&self, service: &Service) -> Result<u32> {
        self.insert(service, true)
    }

    /// Registers a service that has a handle under one more. Lookups by the new
    /// one find nothing, since a service answers to one handle only.
    ///
    /// # Errors
    /// Every handle is in use.
    pub fn register_again(&self, service: &Service) -> Result<u32> {
        self.insert(service, false)
    }

    fn insert(&self, service: &Service, name_it: bool) -> Result<u32> {
        let guard = &epoch::pin();
        let mut writer = lock(&self.writer);
        loop {
            let table = self.table(guard);
            let mut number = writer.next;
            for _ in 0..table.slots.len() {
                if number > HANDLE_MASK {
                    // 0 is nobody's handle.
                    number = 1;
                }
                let slot = table.slot(number);
                if slot.load(Ordering::Relaxed).is_null() {
                    let handle = number | self.harbor;
                    if name_it {
                        service.set_handle(handle);
                    }
                    let _ = service.grab().into_raw();
                    writer.next = number + 1;
                    // Pairs with the load in `find`: who sees the service sees
                    // its handle.
                    slot.store(ptr::from_ref(service).cast_mut(), Ordering::Release);
                    return Ok(handle);
                }
                number += 1;
            }
            if table.slots.len() * 2 - 1 > HANDLE_MASK as usize {
                return Err(Error::NoMoreHandles);
            }
            self.grow(table, guard);
        }
    }

    /// Doubles the table. The caller has the writer's lock.
    fn grow(&self, old: &Table, guard: &Guard) {
        let new = Table::new(old.slots.len() * 2);
        for slot in &old.slots {
            let service = slot.load(Ordering::Relaxed);
            // SAFETY: the registry's reference keeps a service in a slot alive.
            if let Some(known) = unsafe { service.as_ref() } {
                new.slot(known.handle()).store(service, Ordering::Relaxed);
            }
        }
        let old = self.table.swap(Owned::new(new), Ordering::AcqRel, guard);
        // SAFETY: no lookup that starts now can find the old table.
        unsafe { guard.defer_destroy(old) };
    }

    /// Borrows the service with this handle, as long as the caller is pinned.
    #[inline]
    pub(crate) fn find<'g>(&self, handle: u32, guard: &'g Guard) -> Option<&'g Service> {
        let service = self.table(guard).slot(handle).load(Ordering::Acquire);
        // SAFETY: a service that was in a slot while this thread is pinned is
        // freed after the pin.
        let service = unsafe { service.as_ref() }?;
        (service.handle() == handle).then_some(service)
    }

    /// Whether there is a service with this handle.
    pub fn contains(&self, handle: u32) -> bool {
        self.find(handle, &epoch::pin()).is_some()
    }

    /// A reference to the service with this handle.
    pub fn grab(&self, handle: u32) -> Option<ServiceRef> {
        let guard = &epoch::pin();
        self.find(handle, guard)?.try_grab()
    }

    /// Takes the service and its names out. The registry's reference is the
    /// caller's, who drops it outside of every lock.
    pub fn retire(&self, handle: u32) -> Option<ServiceRef> {
        let guard = &epoch::pin();
        let writer = lock(&self.writer);
        self.find(handle, guard)?;
        let gone = self
            .table(guard)
            .slot(handle)
            .swap(ptr::null_mut(), Ordering::AcqRel);
        self.forget_names(handle, guard);
        drop(writer);
        let gone = NonNull::new(gone)?;
        // SAFETY: this is the reference that `insert` counted for the slot.
        let service = unsafe { ServiceRef::from_raw(gone) };
        service.mark_retired();
        Some(service)
    }

    /// The handles of all services, in slot order.
    pub fn handles(&self) -> Vec<u32> {
        let guard = &epoch::pin();
        let slots = &self.table(guard).slots;
        slots
            .iter()
            // SAFETY: as in `find`.
            .filter_map(|slot| unsafe { slot.load(Ordering::Acquire).as_ref() })
            .map(Service::handle)
            .collect()
    }

    /// The handle behind a local name, given without its dot.
    pub fn find_name(&self, name: &CStr) -> Option<u32> {
        let guard = &epoch::pin();
        let entries = &self.names(guard).entries;
        let at = entries.binary_search_by(|n| n.as_cstr().cmp(name)).ok()?;
        Some(entries[at].handle)
    }

    /// Gives a handle a local name. The result is the registry's copy of it,
    /// which lives as long as the name.
    ///
    /// # Errors
    /// The name is taken, by whomever.
    pub fn set_name(&self, handle: u32, name: &CStr) -> Result<NonNull<c_char>> {
        let guard = &epoch::pin();
        let _writer = lock(&self.writer);
        let old = self.names(guard);
        let Err(at) = old.entries.binary_search_by(|n| n.as_cstr().cmp(name)) else {
            return Err(Error::NameTaken(name.to_string_lossy().into_owned()));
        };
        let text = CString::from(name).into_raw();
        // SAFETY: a `CString` is never null.
        let text = unsafe { NonNull::new_unchecked(text) };
        let mut entries = Vec::with_capacity(old.entries.len() + 1);
        entries.extend_from_slice(&old.entries[..at]);
        entries.push(Name { text, handle });
        entries.extend_from_slice(&old.entries[at..]);
        self.swap_names(Names { entries }, guard);
        Ok(text)
    }

    /// Drops all names of a handle. The caller has the writer's lock.
    fn forget_names(&self, handle: u32, guard: &Guard) {
        let old = self.names(guard);
        if old.entries.iter().all(|n| n.handle != handle) {
            return;
        }
        let (gone, entries) = old.entries.iter().partition(|n| n.handle == handle);
        let gone: Vec<Name> = gone;
        self.swap_names(Names { entries }, guard);
        for name in gone {
            let text = name.text.as_ptr() as usize;
            // SAFETY: lists that hold the name are unreachable for whoever pins
            // from now on, and this is the one place that takes it out of them.
            unsafe {
                guard.defer_unchecked(move || drop(CString::from_raw(text as *mut c_char)));
            }
        }
    }

    fn swap_names(&self, names: Names, guard: &Guard) {
        let old: Shared<'_, Names> = self.names.swap(Owned::new(names), Ordering::AcqRel, guard);
        // SAFETY: no lookup that starts now can find the old list.
        unsafe { guard.defer_destroy(old) };
    }
}
