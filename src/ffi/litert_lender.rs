//! How a kernel gets LiteRT's tensor buffers: it asks for them once, and an invoke uses them where they lie.

use std::collections::HashMap;
use std::ffi::{c_int, c_void};
use std::mem::offset_of;
use std::ptr;

use super::litert_buffers::{PACKED, TensorBuffer};
use crate::error::{Error, Result};
use crate::runtime::External;
use crate::tflite::{ints, sys};

type Status = c_int;
const OK: Status = 0;

/// LiteRT's type of memory of the host.
const HOST: c_int = 1;
/// The context in which TFLite keeps LiteRT's buffers.
const LITERT_CONTEXT: i32 = 4;

type Buffers = *mut c_void;

/// The functions of LiteRT's table by which a kernel finds the buffers of its tensors.
#[derive(Clone, Copy, Debug)]
pub struct Lender {
    require: unsafe extern "C" fn(c_int, *const c_int, usize, c_int, *const u32, *mut *mut c_void) -> Status,
    find: unsafe extern "C" fn(Buffers, *const sys::TfLiteTensor, *mut *mut c_void) -> Status,
    register: unsafe extern "C" fn(Buffers, *const sys::TfLiteTensor, *mut c_void) -> Status,
    release: unsafe extern "C" fn(*mut c_void),
    type_of: unsafe extern "C" fn(*mut c_void, *mut c_int) -> Status,
    host_memory: unsafe extern "C" fn(*mut c_void, *mut *mut c_void) -> Status,
    custom_handle: unsafe extern "C" fn(*mut c_void, *mut *mut c_void) -> Status,
}

/// Where these functions lie in the table.
#[repr(C)]
struct Offsets {
    header: u64,
    require: *const c_void,
    find: *const c_void,
    between: [*const c_void; 3],
    register: *const c_void,
    more: [*const c_void; 15],
    release: *const c_void,
    type_of: *const c_void,
    others: [*const c_void; 6],
    host_memory: *const c_void,
    rest: [*const c_void; 2],
    custom_handle: *const c_void,
}

const _: () = assert!(offset_of!(Offsets, register) == 48 && offset_of!(Offsets, release) == 176);
const _: () = assert!(offset_of!(Offsets, type_of) == 184 && offset_of!(Offsets, host_memory) == 240);
const _: () = assert!(offset_of!(Offsets, custom_handle) == 264);

impl Lender {
    /// `None` if the runtime's table, of so many bytes, is too old.
    ///
    /// # Safety
    /// The table is LiteRT's, and its functions stay.
    pub unsafe fn new(table: *const c_void, bytes: usize) -> Option<Self> {
        if bytes < size_of::<Offsets>() {
            return None;
        }
        // SAFETY: the table is as large as this structure at least.
        let table = unsafe { &*table.cast::<Offsets>() };
        let all = [table.require, table.find, table.register, table.release, table.type_of];
        if all.contains(&ptr::null()) || table.host_memory.is_null() || table.custom_handle.is_null() {
            return None;
        }
        // SAFETY: the functions at these places have these types since version 2.2.
        #[expect(clippy::missing_transmute_annotations, reason = "the fields tell the types")]
        unsafe {
            Some(Self {
                require: std::mem::transmute::<*const c_void, _>(table.require),
                find: std::mem::transmute::<*const c_void, _>(table.find),
                register: std::mem::transmute::<*const c_void, _>(table.register),
                release: std::mem::transmute::<*const c_void, _>(table.release),
                type_of: std::mem::transmute::<*const c_void, _>(table.type_of),
                host_memory: std::mem::transmute::<*const c_void, _>(table.host_memory),
                custom_handle: std::mem::transmute::<*const c_void, _>(table.custom_handle),
            })
        }
    }

    /// LiteRT's buffers of the tensors of a context; NULL if the host is another.
    ///
    /// # Safety
    /// `context` is a context of TFLite's, or NULL.
    unsafe fn buffers(context: *mut sys::TfLiteContext) -> Buffers {
        // SAFETY: as the caller promises.
        let get = unsafe { context.as_ref() }.and_then(|context| context.GetExternalContext);
        // SAFETY: as above.
        get.map_or(ptr::null_mut(), |get| unsafe { get(context, LITERT_CONTEXT).cast() })
    }

    /// Asks for buffers on the device for these tensors; memory of the host will do as well. LiteRT asks only once, so
    /// tensors of open sizes stay there.
    ///
    /// # Safety
    /// As for [`buffers`](Self::buffers); it has these tensors.
    pub unsafe fn ask(&self, context: *mut sys::TfLiteContext, tensors: &[i32]) {
        let (types, stride) = ([PACKED, HOST], 0u32);
        // SAFETY: as the caller promises; the functions are LiteRT's, which takes the requirements over.
        unsafe {
            let buffers = Self::buffers(context);
            let tensor = |index: &i32| (*context).tensors.add(*index as usize);
            let is_open = |index: &i32| {
                let signature = (*tensor(index)).dims_signature;
                !signature.is_null() && ints(signature).iter().any(|size| *size < 0)
            };
            if buffers.is_null() || tensors.iter().any(is_open) {
                return;
            }
            for index in tensors {
                let tensor = (*context).tensors.add(*index as usize);
                let mut made = ptr::null_mut();
                let status = (self.require)(
                    types.len() as c_int,
                    types.as_ptr(),
                    (*tensor).bytes,
                    0,
                    &raw const stride,
                    &raw mut made,
                );
                if status != OK || (self.register)(buffers, tensor, made) != OK {
                    log::debug!("LiteRT takes no request for a buffer of tensor {index}");
                }
            }
        }
    }

    /// What LiteRT has lent for this invoke.
    ///
    /// # Errors
    /// If a buffer has a type that was not asked for, or no memory.
    ///
    /// # Safety
    /// As for [`ask`](Self::ask).
    pub unsafe fn lend(&self, context: *mut sys::TfLiteContext, tensors: &[i32]) -> Result<Lent> {
        let mut lent =
            Lent { release: self.release, buffers: Vec::new(), borrowed: Vec::new(), bound: HashMap::new() };
        // SAFETY: as the caller promises.
        unsafe {
            let buffers = Self::buffers(context);
            if buffers.is_null() {
                return Ok(lent);
            }
            for index in tensors {
                let tensor = (*context).tensors.add(*index as usize);
                let (mut found, mut of_type) = (ptr::null_mut(), 0);
                if (*tensor).allocation_type != sys::kTfLiteNonCpu
                    || (self.find)(buffers, tensor, &raw mut found) != OK
                    || found.is_null()
                {
                    continue;
                }
                lent.buffers.push(found);
                if (self.type_of)(found, &raw mut of_type) != OK {
                    return Err(Error::Host(format!("tensor {index} has a buffer of no type")));
                }
                let mut place = ptr::null_mut();
                let get = if of_type == PACKED { self.custom_handle } else { self.host_memory };
                if !matches!(of_type, PACKED | HOST) || get(found, &raw mut place) != OK || place.is_null() {
                    return Err(Error::Host(format!(
                        "tensor {index} has an unusable buffer of type {of_type}"
                    )));
                }
                if of_type == PACKED {
                    lent.bound.insert(*index, (*place.cast::<TensorBuffer>()).external().clone());
                } else {
                    (*tensor).data.raw = place.cast();
                    lent.borrowed.push(tensor);
                }
            }
        }
        Ok(lent)
    }
}

/// Buffers for one invoke.
pub struct Lent {
    release: unsafe extern "C" fn(*mut c_void),
    buffers: Vec<*mut c_void>,
    /// Tensors that lie in memory of the host meanwhile.
    borrowed: Vec<*mut sys::TfLiteTensor>,
    bound: HashMap<i32, External>,
}

impl Lent {
    /// The tensors that lie on the device.
    pub fn bound(&self) -> HashMap<i32, External> {
        self.bound.clone()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // SAFETY: the invoke that the tensors and buffers are for is not over.
        unsafe {
            self.borrowed.iter().for_each(|tensor| (**tensor).data.raw = ptr::null_mut());
            self.buffers.iter().for_each(|buffer| (self.release)(*buffer));
        }
    }
}
