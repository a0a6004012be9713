//! Modules: what services are made from. A module is a shared object found
//! through `cpath`, or a built-in of the executable.
//!
//! A module stays loaded, and its [`Module`] in place, for as long as the
//! process lives; C code keeps pointers to it. No lock is held while a shared
//! object is opened, because its constructors may call back into the node. Two
//! threads that open the same object get the same handle from the system, which
//! runs its constructors once; the first to come back enters it here.

use crate::error::{Error, Result};
use crate::runtime::env;
use crate::sync::{Mutex, lock};
use core::ffi::{c_char, c_int, c_void};
use once_cell::sync::OnceCell;
use skynet_abi::module::{
    skynet_dl_create, skynet_dl_init, skynet_dl_release, skynet_dl_signal, skynet_module,
};
use skynet_abi::skynet_context;
use std::collections::HashMap;
use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::{mem, ptr};

static MODULES: OnceCell<Modules> = OnceCell::new();
static BUILTINS: OnceCell<&'static [Builtin]> = OnceCell::new();

/// Sets where modules are looked for, see [`Modules::new`].
///
/// # Errors
/// [`Error::AlreadyInitialised`] if that is known; it stays as it is.
pub fn init(path: &CStr) -> Result<()> {
    MODULES
        .set(Modules::new(path))
        .map_err(|_| Error::AlreadyInitialised("module path"))
}

/// The node's modules.
///
/// # Errors
/// [`Error::NotInitialised`] before [`init`].
pub fn modules() -> Result<&'static Modules> {
    MODULES.get().ok_or(Error::NotInitialised("module path"))
}

/// Tells the node which modules are part of the executable. To be called before
/// the node starts.
///
/// # Errors
/// [`Error::AlreadyInitialised`] if it has been told.
pub fn set_builtins(builtins: &'static [Builtin]) -> Result<()> {
    BUILTINS
        .set(builtins)
        .map_err(|_| Error::AlreadyInitialised("list of built-in modules"))
}

/// A module that is part of the executable.
#[derive(Debug)]
pub struct Builtin {
    pub name: &'static CStr,
    pub create: skynet_dl_create,
    pub init: unsafe extern "C-unwind" fn(
        inst: *mut c_void,
        context: *mut skynet_context,
        parm: *const c_char,
    ) -> c_int,
    pub release: skynet_dl_release,
    pub signal: skynet_dl_signal,
}

/// Whether built-in modules come before files: the config's key `builtin`.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Order {
    First,
    Last,
    Off,
}

impl Order {
    fn of_node() -> Result<Order> {
        let value = env::env().ok().and_then(|env| env.get(c"builtin"));
        value.map_or(Ok(Order::First), Order::parse)
    }

    fn parse(value: &CStr) -> Result<Order> {
        match value.to_bytes() {
            b"first" => Ok(Order::First),
            b"last" => Ok(Order::Last),
            b"off" => Ok(Order::Off),
            _ => Err(Error::bad_argument(
                "config key builtin",
                format!("{value:?} is none of first, last and off"),
            )),
        }
    }
}

/// A loaded module. C code sees it as `struct skynet_module`.
#[repr(transparent)]
#[derive(Debug)]
pub struct Module(skynet_module);

// SAFETY: a module's fields are not written after its construction; the name it
// points to is leaked; and its functions may be called from any thread, that is
// what the ABI asks of modules.
unsafe impl Send for Module {}
// SAFETY: as above.
unsafe impl Sync for Module {}

impl Module {
    /// The module as C code knows it; valid for ever.
    pub fn as_ptr(&'static self) -> *mut skynet_module {
        ptr::from_ref(&self.0).cast_mut()
    }

    /// Takes a module back from C code.
    ///
    /// # Safety
    /// `module` must be null or come from [`as_ptr`](Self::as_ptr).
    pub unsafe fn from_ptr(module: *mut skynet_module) -> Option<&'static Module> {
        // SAFETY: by the caller's promise it points to the leaked content of a
        // `Module`, which is transparent; nobody writes to it.
        unsafe { module.cast::<Module>().as_ref() }
    }

    /// The name under which the module was asked for.
    pub fn name(&self) -> &'static CStr {
        // SAFETY: `enter` put a leaked string here.
        unsafe { CStr::from_ptr(self.0.name) }
    }

    /// Creates an instance; `None` if the module returns a null pointer. A
    /// module without a `_create` function has instances whose pointer is ~0.
    pub fn create(&'static self) -> Option<Instance> {
        let pointer = match self.0.create {
            // SAFETY: the module's function, of the type the ABI gives it.
            Some(create) => unsafe { create() },
            None => ptr::without_provenance_mut(usize::MAX),
        };
        (!pointer.is_null()).then_some(Instance {
            module: self,
            pointer,
        })
    }
}

/// What a module's `_create` made. It is destroyed by [`release`](Self::release)
/// only: to drop it leaks it.
#[derive(Debug)]
pub struct Instance {
    module: &'static Module,
    pointer: *mut c_void,
}

// SAFETY: the ABI lets a node call a module's functions from any of its threads.
unsafe impl Send for Instance {}
// SAFETY: the only method on a shared instance that a safe caller has is
// `signal`, which the ABI allows beside the other functions.
unsafe impl Sync for Instance {}

impl Instance {
    /// Makes an instance of what C code kept.
    ///
    /// # Safety
    /// `pointer` must have come from the module's `_create` and not be released.
    pub unsafe fn from_raw(module: &'static Module, pointer: *mut c_void) -> Instance {
        Instance { module, pointer }
    }

    /// The module's own pointer. Whoever takes it has to release it.
    pub fn into_raw(self) -> *mut c_void {
        self.pointer
    }

    /// Calls the module's `_init` and returns its result, 0 for success.
    ///
    /// # Safety
    /// `context` must be a pointer the module may use until the instance is
    /// released; `parm` must be null or a C string that lives during the call.
    pub unsafe fn init(&self, context: *mut skynet_context, parm: *const c_char) -> c_int {
        let init = self
            .module
            .0
            .init
            .expect("`enter` refuses a module without one");
        // SAFETY: the instance is this module's and not released, as it is not
        // consumed; the caller answers for the other two.
        unsafe { init(self.pointer, context, parm) }
    }

    /// Calls the module's `_signal`, if it has one. Any thread may, at any time.
    pub fn signal(&self, signal: c_int) {
        if let Some(function) = self.module.0.signal {
            // SAFETY: the instance is this module's and not released.
            unsafe { function(self.pointer, signal) }
        }
    }

    /// Calls the module's `_release`, if it has one.
    pub fn release(self) {
        if let Some(release) = self.module.0.release {
            // SAFETY: the instance is this module's, and consumed here.
            unsafe { release(self.pointer) }
        }
    }
}

/// One part of `cpath`.
enum Pattern {
    Around { before: Box<[u8]>, after: Box<[u8]> },
    WithoutMark(Box<[u8]>),
}

impl Pattern {
    fn parse(text: &[u8]) -> Pattern {
        match text.iter().position(|&byte| byte == b'?') {
            Some(mark) => Pattern::Around {
                before: text[..mark].into(),
                after: text[mark + 1..].into(),
            },
            None => Pattern::WithoutMark(text.into()),
        }
    }

    fn file(&self, name: &CStr) -> Result<CString> {
        match self {
            Pattern::Around { before, after } => {
                let path = [before, name.to_bytes(), after].concat();
                Ok(CString::new(path).expect("cut from C strings"))
            }
            Pattern::WithoutMark(text) => Err(Error::PathWithoutMark {
                pattern: String::from_utf8_lossy(text).into_owned(),
            }),
        }
    }
}

/// The modules of a node: those that are loaded, and where to find others.
pub struct Modules {
    patterns: Vec<Pattern>,
    loaded: Mutex<HashMap<&'static CStr, &'static Module>>,
}

impl Modules {
    /// `path` is a list of patterns, divided by `;`. In each the first `?`
    /// stands for the module's name. A pattern without one finds nothing, and
    /// is named by the error for every module that is looked for in vain.
    pub fn new(path: &CStr) -> Self {
        let parts = path.to_bytes().split(|&byte| byte == b';');
        Modules {
            patterns: parts
                .filter(|part| !part.is_empty())
                .map(Pattern::parse)
                .collect(),
            loaded: Mutex::new(HashMap::new()),
        }
    }

    /// The module of that name, loaded if need be. Standard error says what was
    /// tried if there is none.
    ///
    /// # Errors
    /// [`Error::ModuleNotFound`], with every attempt;
    /// [`Error::BadArgument`] for a value of the key `builtin` that is not known.
    pub fn query(&self, name: &CStr) -> Result<&'static Module> {
        if let Some(module) = self.find(name) {
            return Ok(module);
        }
        let builtins = BUILTINS.get().copied().unwrap_or_default();
        self.load(name, builtins, Order::of_node()?)
    }

    fn find(&self, name: &CStr) -> Option<&'static Module> {
        lock(&self.loaded).get(name).copied()
    }

    fn load(&self, name: &CStr, builtins: &[Builtin], order: Order) -> Result<&'static Module> {
        let builtin = builtins.iter().find(|builtin| builtin.name == name);
        if let (Order::First, Some(builtin)) = (order, builtin) {
            return Ok(self.enter_builtin(builtin));
        }
        let mut tried = Vec::new();
        if let Some(object) = self.open(name, &mut tried) {
            match Functions::of(&object, name) {
                Ok(functions) => return Ok(self.enter_object(name, object, functions)),
                Err(missing) => tried.push(missing),
            }
        } else if let (Order::Last, Some(builtin)) = (order, builtin)
            && !self.has_file(name)
        {
            // A file that is there and cannot be opened is an error instead.
            return Ok(self.enter_builtin(builtin));
        }
        let shown = name.to_string_lossy();
        for attempt in &tried {
            eprintln!("try open {shown} failed : {attempt}");
        }
        Err(Error::ModuleNotFound {
            name: shown.into_owned(),
            tried,
        })
    }

    /// Opens the first file that can be.
    fn open(&self, name: &CStr, tried: &mut Vec<String>) -> Option<SharedObject> {
        for pattern in &self.patterns {
            let opened = pattern
                .file(name)
                .map_err(|error| error.to_string())
                .and_then(SharedObject::open);
            match opened {
                Ok(object) => return Some(object),
                Err(text) => tried.push(text),
            }
        }
        None
    }

    /// Whether there is any file for the name, be it a module or not.
    fn has_file(&self, name: &CStr) -> bool {
        self.patterns.iter().any(|pattern| {
            pattern
                .file(name)
                .is_ok_and(|file| Path::new(OsStr::from_bytes(file.to_bytes())).exists())
        })
    }

    fn enter_builtin(&self, builtin: &Builtin) -> &'static Module {
        let functions = Functions {
            create: builtin.create,
            init: Some(builtin.init),
            release: builtin.release,
            signal: builtin.signal,
        };
        self.enter(builtin.name, ptr::null_mut(), functions)
    }

    fn enter_object(
        &self,
        name: &CStr,
        object: SharedObject,
        functions: Functions,
    ) -> &'static Module {
        let module = self.enter(name, object.handle.0, functions);
        if module.0.module == object.handle.0 {
            // Opened once more than it is known of, at most: that keeps it loaded.
            object.keep_open();
        }
        module
    }

    /// Adds a module unless another thread has been faster; returns the one there is.
    fn enter(&self, name: &CStr, handle: *mut c_void, functions: Functions) -> &'static Module {
        let mut loaded = lock(&self.loaded);
        if let Some(module) = loaded.get(name) {
            return module;
        }
        let name: &'static CStr = Box::leak(name.into());
        let module: &'static Module = Box::leak(Box::new(Module(skynet_module {
            name: name.as_ptr(),
            module: handle,
            create: functions.create,
            init: functions.init,
            release: functions.release,
            signal: functions.signal,
        })));
        loaded.insert(name, module);
        module
    }
}

/// A module's entry points.
struct Functions {
    create: skynet_dl_create,
    init: skynet_dl_init,
    release: skynet_dl_release,
    signal: skynet_dl_signal,
}

impl Functions {
    /// Looks them up. Their names begin with the module's, from behind its last
    /// dot. Fails if there is no `_init`, saying so.
    fn of(object: &SharedObject, name: &CStr) -> Result<Functions, String> {
        let name = name.to_bytes();
        let dot = name.iter().rposition(|&byte| byte == b'.');
        let prefix = &name[dot.map_or(0, |dot| dot + 1)..];
        let symbol = |suffix: &[u8]| object.symbol(&[prefix, suffix].concat());
        // SAFETY: by the module convention the symbols that bear these names are
        // functions of these types; null is `None`.
        let functions = unsafe {
            Functions {
                create: mem::transmute::<*mut c_void, skynet_dl_create>(symbol(b"_create")),
                init: mem::transmute::<*mut c_void, skynet_dl_init>(symbol(b"_init")),
                release: mem::transmute::<*mut c_void, skynet_dl_release>(symbol(b"_release")),
                signal: mem::transmute::<*mut c_void, skynet_dl_signal>(symbol(b"_signal")),
            }
        };
        if functions.init.is_none() {
            let path = object.path.to_string_lossy();
            let prefix = String::from_utf8_lossy(prefix);
            return Err(format!("{path}: there is no {prefix}_init in it"));
        }
        Ok(functions)
    }
}

/// An open shared object.
struct SharedObject {
    handle: Handle,
    path: CString,
}

/// What `dlopen` gave; closed when dropped.
struct Handle(*mut c_void);

impl SharedObject {
    /// Opens a file, or says why it cannot be opened.
    fn open(path: CString) -> Result<SharedObject, String> {
        // SAFETY: the path is a C string. What its constructors do is the
        // module's affair, as with any code that a node is told to load.
        let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
        if !handle.is_null() {
            let handle = Handle(handle);
            return Ok(SharedObject { handle, path });
        }
        // SAFETY: the text belongs to this thread until its next such call, and
        // is copied before.
        let reason = unsafe {
            let text = libc::dlerror();
            (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
        };
        let reason = reason.unwrap_or_else(|| String::from("no reason given"));
        let path = path.to_string_lossy();
        if reason.starts_with(&*path) {
            return Err(reason);
        }
        Err(format!("{path}: {reason}"))
    }

    /// Leaves the file open for good.
    fn keep_open(self) {
        mem::forget(self.handle);
    }

    /// The address of a symbol, null if there is none.
    fn symbol(&self, name: &[u8]) -> *mut c_void {
        let name = CString::new(name).expect("cut from a C string");
        // SAFETY: the handle is open, as `self` exists, and the name a C string.
        unsafe { libc::dlsym(self.handle.0, name.as_ptr()) }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: opened by `open` and closed once. Nothing keeps an address
        // from it: a module that is entered holds a reference of its own.
        unsafe { libc::dlclose(self.0) };
    }
}

#[cfg(all(test, not(loom), not(miri)))]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Write;
    use std::path::{Path, PathBuf};
    use std::process::Command;
    use std::thread;

    /// A directory of its own for each test, removed at the end.
    struct Directory(PathBuf);

    impl Directory {
        fn new(test: &str) -> Self {
            let name = format!("skynet-module-{test}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            let _ = fs::remove_dir_all(&path);
            fs::create_dir(&path).unwrap();
            Directory(path)
        }

        /// Compiles C source to `file`.
        fn compile(&self, file: &str, source: &str) {
            let text = self.0.join(format!("{file}.c"));
            fs::write(&text, source).unwrap();
            let compiler = std::env::var("CC").unwrap_or_else(|_| String::from("cc"));
            let status = Command::new(compiler)
                .args(["-shared", "-fPIC", "-o"])
                .arg(self.0.join(file))
                .arg(&text)
                .status()
                .unwrap();
            assert!(status.success());
        }

        fn pattern(&self, pattern: &str) -> CString {
            path(&self.0.join(pattern))
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn path(path: &Path) -> CString {
        CString::new(path.as_os_str().as_encoded_bytes()).unwrap()
    }

    const COUNTING: &str = "
        static int last;
        void *NAME_create(void) { return &last; }
        int NAME_init(void *inst, void *ctx, const char *parm) { *(int *)inst = parm[0]; return 5; }
        void NAME_signal(void *inst, int n) { *(int *)inst += n; }
        void NAME_release(void *inst) { *(int *)inst = -1; }
    ";

    fn counting(prefix: &str) -> String {
        COUNTING.replace("NAME", prefix)
    }

    unsafe extern "C-unwind" fn builtin_init(
        _: *mut c_void,
        _: *mut skynet_context,
        _: *const c_char,
    ) -> c_int {
        7
    }

    static BUILTIN: [Builtin; 1] = [Builtin {
        name: c"both",
        create: None,
        init: builtin_init,
        release: None,
        signal: None,
    }];

    fn init_result(module: &'static Module) -> c_int {
        let instance = module.create().unwrap();
        // SAFETY: these modules do not use the context.
        let result = unsafe { instance.init(ptr::null_mut(), c"A".as_ptr()) };
        instance.release();
        result
    }

    #[test]
    fn smoke() {
        let directory = Directory::new("smoke");
        directory.compile("one.so", &counting("one"));
        let modules = Modules::new(&directory.pattern("?.so"));
        let module = modules.query(c"one").unwrap();
        assert_eq!(module.name(), c"one");
        let instance = module.create().unwrap();
        let last = instance.pointer.cast::<c_int>();
        // SAFETY: the module does not use the context, and `last` is its
        // static, which only this test touches.
        unsafe {
            assert_eq!(instance.init(ptr::null_mut(), c"A".as_ptr()), 5);
            assert_eq!(*last, 65);
            instance.signal(3);
            assert_eq!(*last, 68);
            instance.release();
            assert_eq!(*last, -1);
        }
        assert!(ptr::eq(modules.query(c"one").unwrap(), module));
    }

    #[test]
    fn patterns_are_tried_in_order() {
        let directory = Directory::new("order");
        fs::create_dir(directory.0.join("b")).unwrap();
        directory.compile("b/lib.x.so", &counting("x"));
        let list = [
            directory.pattern("a/?.so"),
            c"without".into(),
            directory.pattern("b/lib.?.so"),
        ];
        let modules =
            Modules::new(&CString::new(list.map(CString::into_bytes).join(&b';')).unwrap());
        assert_eq!(init_result(modules.query(c"x").unwrap()), 5);
        let error = modules.query(c"missing").unwrap_err();
        let Error::ModuleNotFound { name, tried } = error else {
            panic!("{error:?}");
        };
        assert_eq!(name, "missing");
        assert_eq!(tried.len(), 3);
        assert!(tried[0].contains("a/missing.so"), "{tried:?}");
        assert!(tried[1].contains("\"without\""), "{tried:?}");
        assert!(tried[2].contains("b/lib.missing.so"), "{tried:?}");
    }

    #[test]
    fn symbols_begin_behind_the_last_dot() {
        let directory = Directory::new("dots");
        directory.compile("game.db.mysql.so", &counting("mysql"));
        let modules = Modules::new(&directory.pattern("?.so"));
        assert_eq!(init_result(modules.query(c"game.db.mysql").unwrap()), 5);
    }

    #[test]
    fn init_is_required_and_the_rest_is_not() {
        let directory = Directory::new("required");
        directory.compile(
            "bare.so",
            "int bare_init(void *i, void *c, const char *p) { return 1; }",
        );
        directory.compile("empty.so", "void *empty_create(void) { return 0; }");
        directory.compile(
            "null.so",
            "void *null_create(void) { return 0; } int null_init(void) { return 0; }",
        );
        let modules = Modules::new(&directory.pattern("?.so"));
        let instance = modules.query(c"bare").unwrap().create().unwrap();
        assert_eq!(instance.pointer.addr(), usize::MAX);
        instance.signal(1);
        instance.release();
        let error = modules.query(c"empty").unwrap_err().to_string();
        assert!(error.contains("empty_init"), "{error}");
        assert!(modules.query(c"null").unwrap().create().is_none());
    }

    #[test]
    fn built_in_modules() {
        let directory = Directory::new("builtin");
        directory.compile("both.so", &counting("both"));
        for (order, result) in [(Order::First, 7), (Order::Last, 5), (Order::Off, 5)] {
            let modules = Modules::new(&directory.pattern("?.so"));
            let module = modules.load(c"both", &BUILTIN, order).unwrap();
            assert_eq!(init_result(module), result, "{order:?}");
        }
        let nowhere = Modules::new(c"");
        let module = nowhere.load(c"both", &BUILTIN, Order::Last).unwrap();
        assert_eq!(init_result(module), 7);
        let nowhere = Modules::new(c"");
        assert!(nowhere.load(c"both", &BUILTIN, Order::Off).is_err());
        assert!(nowhere.load(c"other", &BUILTIN, Order::First).is_err());
        assert_eq!(Order::parse(c"last").unwrap(), Order::Last);
        assert!(Order::parse(c"never").is_err());
    }

    #[test]
    fn more_than_32_modules() {
        let directory = Directory::new("many");
        let names: Vec<CString> = (0..40)
            .map(|i| CString::new(format!("{i}.same")).unwrap())
            .collect();
        directory.compile("0.same.so", &counting("same"));
        for name in &names[1..] {
            let file = format!("{}.so", name.to_str().unwrap());
            fs::copy(directory.0.join("0.same.so"), directory.0.join(file)).unwrap();
        }
        let modules = Modules::new(&directory.pattern("?.so"));
        let first = modules.query(&names[0]).unwrap();
        for name in &names {
            assert_eq!(modules.query(name).unwrap().name(), name.as_c_str());
        }
        assert!(ptr::eq(modules.query(&names[0]).unwrap(), first));
    }

    #[test]
    fn one_load_for_many_queries() {
        let directory = Directory::new("race");
        let count = directory.0.join("count");
        directory.compile(
            "race.so",
            &format!(
                "#include <stdio.h>\n__attribute__((constructor)) static void loaded(void) {{
                    FILE *f = fopen({count:?}, \"a\"); fputs(\"x\", f); fclose(f); }}
                {}",
                counting("race")
            ),
        );
        let modules = Modules::new(&directory.pattern("?.so"));
        let places: Vec<usize> = thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| ptr::from_ref(modules.query(c"race").unwrap()).addr()))
                .collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert!(places.iter().all(|&place| place == places[0]));
        assert_eq!(fs::read(count).unwrap(), b"x");
    }

    /// A constructor that waits for the test holds up nobody who asks for a
    /// module that is there.
    #[test]
    fn a_slow_constructor_blocks_no_query() {
        let directory = Directory::new("slow");
        directory.compile("quick.so", &counting("quick"));
        let fifo = directory.0.join("fifo");
        let status = Command::new("mkfifo").arg(&fifo).status().unwrap();
        assert!(status.success());
        directory.compile(
            "slow.so",
            &format!(
                "#include <stdio.h>\n__attribute__((constructor)) static void wait(void) {{
                    FILE *f = fopen({fifo:?}, \"r\"); fgetc(f); fclose(f); }}
                {}",
                counting("slow")
            ),
        );
        let modules = Modules::new(&directory.pattern("?.so"));
        let quick = modules.query(c"quick").unwrap();
        thread::scope(|scope| {
            let slow = scope.spawn(|| modules.query(c"slow").unwrap());
            // Opens when the constructor has begun to read.
            let mut gate = fs::OpenOptions::new().write(true).open(&fifo).unwrap();
            assert!(ptr::eq(modules.query(c"quick").unwrap(), quick));
            assert!(modules.find(c"slow").is_none());
            gate.write_all(b"x").unwrap();
            drop(gate);
            assert_eq!(slow.join().unwrap().name(), c"slow");
        });
    }
}
