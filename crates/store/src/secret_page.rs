//! A page of memory for one secret: not swapped, not dumped, wiped when dropped.

use keys::SealKey;
use zeroize::Zeroize;

#[cfg(not(target_os = "linux"))]
use heap::Memory;
#[cfg(target_os = "linux")]
use page::Memory;

/// Where a 32-byte key stays for as long as the profile is open.
pub(crate) struct SecretPage(Memory);

impl SecretPage {
    pub(crate) fn holding(key: &SealKey) -> Self {
        let mut memory = Memory::new();
        memory.bytes_mut().copy_from_slice(key.as_bytes());
        Self(memory)
    }

    /// A copy to work with; it wipes itself.
    pub(crate) fn key(&self) -> SealKey {
        SealKey::from_bytes(self.0.bytes())
    }
}

impl Drop for SecretPage {
    fn drop(&mut self) {
        self.0.bytes_mut().zeroize();
    }
}

#[cfg_attr(target_os = "linux", allow(dead_code, reason = "the way out if the system gives no page"))]
mod heap {
    /// Memory like any other.
    pub(super) struct Memory(Box<[u8; 32]>);

    impl Memory {
        pub(super) fn new() -> Self {
            Self(Box::new([0; 32]))
        }

        pub(super) fn bytes(&self) -> &[u8; 32] {
            &self.0
        }

        pub(super) fn bytes_mut(&mut self) -> &mut [u8; 32] {
            &mut self.0
        }
    }
}

#[cfg(target_os = "linux")]
mod page {
    use std::ptr::{NonNull, null_mut};

    use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mlock, mmap_anonymous, munmap};

    use super::heap;

    /// A page of our own, or memory like any other if the system gives none.
    pub(super) enum Memory {
        Page(Page),
        Heap(heap::Memory),
    }

    impl Memory {
        pub(super) fn new() -> Self {
            Page::new().map_or_else(|| Self::Heap(heap::Memory::new()), Self::Page)
        }

        pub(super) fn bytes(&self) -> &[u8; 32] {
            match self {
                Self::Page(page) => page.bytes(),
                Self::Heap(heap) => heap.bytes(),
            }
        }

        pub(super) fn bytes_mut(&mut self) -> &mut [u8; 32] {
            match self {
                Self::Page(page) => page.bytes_mut(),
                Self::Heap(heap) => heap.bytes_mut(),
            }
        }
    }

    /// One mapped page; its first 32 bytes are used.
    pub(super) struct Page {
        start: NonNull<[u8; 32]>,
        length: usize,
    }

    impl Page {
        fn new() -> Option<Self> {
            let length = rustix::param::page_size();
            let access = ProtFlags::READ | ProtFlags::WRITE;
            // SAFETY: without an address and without MAP_FIXED the system takes a place nobody uses.
            let start = unsafe { mmap_anonymous(null_mut(), length, access, MapFlags::PRIVATE) }.ok()?;
            // Both may be refused (limits, old kernels), and then the key is as safe as without them.
            // SAFETY: the page was mapped just now with this length, and neither call changes what it holds.
            let _ = unsafe { mlock(start, length) };
            // SAFETY: as above; the advice is only about core dumps.
            let _ = unsafe { madvise(start, length, Advice::LinuxDontDump) };
            Some(Self { start: NonNull::new(start.cast())?, length })
        }

        fn bytes(&self) -> &[u8; 32] {
            // SAFETY: the page is mapped, readable, zeroed by the system and aligned until `drop`;
            // it has more than 32 bytes, and who writes to it borrows `self` mutably.
            unsafe { self.start.as_ref() }
        }

        fn bytes_mut(&mut self) -> &mut [u8; 32] {
            // SAFETY: as in `bytes`, and `self` is borrowed mutably.
            unsafe { self.start.as_mut() }
        }
    }

    impl Drop for Page {
        fn drop(&mut self) {
            // SAFETY: mapped in `new` with this length; nothing borrows from it any more.
            let _ = unsafe { munmap(self.start.as_ptr().cast(), self.length) };
        }
    }

    // SAFETY: the page belongs to this value alone, as memory in a `Box` would.
    unsafe impl Send for Page {}
    // SAFETY: through a shared reference it is only read.
    unsafe impl Sync for Page {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_back_from_its_page() {
        let key = SealKey::generate();
        let page = SecretPage::holding(&key);
        assert_eq!(page.key().as_bytes(), key.as_bytes());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_page_is_not_dumped() {
        let page = SecretPage::holding(&SealKey::generate());
        let address = format!("{:x}-", page.0.bytes().as_ptr() as usize);
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let flags = maps.split(&address).nth(1).and_then(|rest| rest.lines().find(|line| line.starts_with("VmFlags")));
        assert!(flags.unwrap().contains(" dd"), "{flags:?}");
    }
}
