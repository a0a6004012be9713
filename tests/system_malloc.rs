//! Without jemalloc: nobody is charged, and its settings read 0.
#![cfg(feature = "system-malloc")]

use skynet::memory;
use skynet::runtime::heap;

#[test]
fn there_is_nothing_to_report() {
    let text = std::hint::black_box(String::from("on the heap"));
    assert_eq!(memory::total_usage(), memory::Usage::default());
    assert_eq!(memory::current_usage(), memory::Usage::default());
    drop(text);
    assert_eq!(heap::number(c"stats.allocated", None), 0);
    assert_eq!(heap::number(c"epoch", Some(1)), 0);
    assert_eq!(heap::option(c"thread.arena", Some(0)), 0);
    assert!(!heap::switch(c"prof.active", Some(true)));
    assert_eq!(heap::run(c"prof.dump"), 0);
    heap::print_statistics(None);
    heap::dump();
}
