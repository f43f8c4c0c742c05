//! What `std` would have brought: memory, and words for a panic. Bringing `std`
//! itself would import thirteen `wasi:*` interfaces.

use core::alloc::{GlobalAlloc, Layout};
use core::panic::PanicInfo;

use super::bindings::layerwise::cache::observer::{Level, log};
use crate::prelude::*;

/// The allocator of wasi-libc, which needs nothing from outside.
struct Libc;

#[global_allocator]
static ALLOCATOR: Libc = Libc;

/// What `malloc` aligns to by itself.
const ALIGNED: usize = 8;

#[link(name = "c")]
unsafe extern "C" {
    fn malloc(size: usize) -> *mut u8;
    fn calloc(count: usize, size: usize) -> *mut u8;
    fn aligned_alloc(align: usize, size: usize) -> *mut u8;
    fn realloc(pointer: *mut u8, size: usize) -> *mut u8;
    fn free(pointer: *mut u8);
}

// SAFETY: malloc and its family keep GlobalAlloc's contract; sizes for
// aligned_alloc are rounded up to the alignment as C asks.
unsafe impl GlobalAlloc for Libc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() <= ALIGNED {
            unsafe { malloc(layout.size()) }
        } else {
            unsafe { aligned_alloc(layout.align(), layout.pad_to_align().size()) }
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout.align() <= ALIGNED {
            return unsafe { calloc(1, layout.size()) };
        }
        let pointer = unsafe { self.alloc(layout) };
        if !pointer.is_null() {
            unsafe { pointer.write_bytes(0, layout.size()) };
        }
        pointer
    }

    unsafe fn dealloc(&self, pointer: *mut u8, _: Layout) {
        unsafe { free(pointer) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if layout.align() <= ALIGNED {
            return unsafe { realloc(pointer, size) };
        }
        let Ok(wider) = Layout::from_size_align(size, layout.align()) else {
            return core::ptr::null_mut();
        };
        let moved = unsafe { self.alloc(wider) };
        if !moved.is_null() {
            unsafe {
                moved.copy_from_nonoverlapping(pointer, layout.size().min(size));
                free(pointer);
            }
        }
        moved
    }
}

/// Compares memory. The one of wasi-libc goes byte by byte, and comparing ids is
/// most of what a lookup does.
///
/// # Safety
/// As C's: both lead to `count` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, count: usize) -> i32 {
    const WORD: usize = size_of::<u64>();
    let mut at = 0;
    while count.wrapping_sub(at) >= WORD {
        // SAFETY: a whole word is left of both.
        let (x, y) = unsafe {
            let word = |from: *const u8| from.add(at).cast::<u64>().read_unaligned();
            (word(a), word(b))
        };
        if x != y {
            return if x.swap_bytes() < y.swap_bytes() {
                -1
            } else {
                1
            };
        }
        at = at.wrapping_add(WORD);
    }
    while at < count {
        // SAFETY: at least one byte is left of both.
        let (x, y) = unsafe { (a.add(at).read(), b.add(at).read()) };
        if x != y {
            return i32::from(x).wrapping_sub(i32::from(y));
        }
        at = at.wrapping_add(1);
    }
    0
}

/// Where the host puts what it passes in.
///
/// # Safety
/// Called by the host as the component model says.
#[unsafe(no_mangle)]
unsafe extern "C" fn cabi_realloc(
    pointer: *mut u8,
    old_size: usize,
    align: usize,
    new_size: usize,
) -> *mut u8 {
    if new_size == 0 {
        return core::ptr::without_provenance_mut(align);
    }
    let moved = match (old_size, Layout::from_size_align(old_size.max(1), align)) {
        (_, Err(_)) => core::ptr::null_mut(),
        (0, Ok(_)) => match Layout::from_size_align(new_size, align) {
            Ok(layout) => unsafe { ALLOCATOR.alloc(layout) },
            Err(_) => core::ptr::null_mut(),
        },
        (_, Ok(layout)) => unsafe { ALLOCATOR.realloc(pointer, layout, new_size) },
    };
    if moved.is_null() {
        // There is no other way to refuse: the host sees a trap.
        core::arch::wasm32::unreachable()
    }
    moved
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    log(Level::Error, &info.to_string(), &[]);
    core::arch::wasm32::unreachable()
}
