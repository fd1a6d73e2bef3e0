//! Operators on integers and booleans, compared exactly: in the storage of the device, and widened to 32 bits.

use tflite_vulkan::ir::{DType, Data, HostTensor, Padding, Scalar, Shape, SpatialPadding, Window};
use tflite_vulkan::op::Operator;
use tflite_vulkan::ops::arg_max::ArgMax;
use tflite_vulkan::ops::concatenation::Concatenation;
use tflite_vulkan::ops::gather::Gather;
use tflite_vulkan::ops::gather_nd::GatherNd;
use tflite_vulkan::ops::max_pool_integers::MaxPoolIntegers;
use tflite_vulkan::ops::one_hot::OneHot;
use tflite_vulkan::ops::pad::{Border, Growth, Pad};
use tflite_vulkan::ops::reduce::{Reduce, ReduceKind};
use tflite_vulkan::ops::reduce_integers::ReduceIntegers;
use tflite_vulkan::ops::resize::Resize;
use tflite_vulkan::ops::resize_nearest_neighbor::ResizeNearestNeighbor;
use tflite_vulkan::ops::reverse::Reverse;
use tflite_vulkan::ops::split::{Sizes, Split};
use tflite_vulkan::ops::transpose::Transpose;

use crate::harness::{Arg, Case, check, tensor};

const TYPES: [DType; 6] = [DType::I64, DType::I32, DType::I16, DType::I8, DType::U8, DType::Bool];

/// An operand with elements of the whole range of its type.
fn integers(dtype: DType, dims: &[u32]) -> Arg {
    let mut state = 1u64;
    let any = HostTensor::moved(dtype, Shape::new(dims), |_| {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        state ^ state >> 32
    });
    Arg::Elements(any.expect("it is small"))
}

/// One operand, in every type.
fn every(op: impl Operator + Clone, dims: &[u32]) -> impl Iterator<Item = Case> {
    TYPES.into_iter().map(move |dtype| Case::new(op.clone(), [integers(dtype, dims)]).gives(dtype))
}

#[test]
fn movement() {
    let turned = |axes: &[i64]| Reverse { axes: axes.to_vec() };
    let reflected = Pad { border: Border::Reflect, growth: vec![Growth::Add(1, 2), Growth::Add(0, 3)] };
    let size = Resize { size: Some([7, 4]), nearest: true, align_corners: false, half_pixel_centers: true };
    check(every(Transpose { order: vec![2, 0, 1] }, &[2, 3, 5]));
    check(every(Transpose { order: vec![1, 0, 2] }, &[3, 5, 8]));
    check(every(turned(&[0]), &[7]).chain(every(turned(&[1, -1]), &[3, 2, 5])));
    check(every(reflected, &[4, 5]));
    check(every(Split { input: 0, axis: 1, sizes: Sizes::Given(vec![1, 4, 2]) }, &[3, 7]));
    check(every(ResizeNearestNeighbor(size.clone()), &[2, 3, 5, 3]));
    check(every(ResizeNearestNeighbor(size), &[1, 3, 5, 8]));
    check(TYPES.into_iter().map(|dtype| {
        let border = Border::Constant(Scalar::int(dtype, 1));
        let pad = Pad { border, growth: vec![Growth::Add(1, 0), Growth::Add(2, 1)] };
        Case::new(pad, [integers(dtype, &[3, 5])]).gives(dtype)
    }));
    check(TYPES.into_iter().map(|dtype| {
        let args = [integers(dtype, &[3, 5]), integers(dtype, &[3, 2]), integers(dtype, &[3, 1])];
        Case::new(Concatenation { axis: 1, count: 3 }, args).gives(dtype)
    }));
}

/// Most of these indices lie outside.
#[test]
fn computed_indices_stay_inside() {
    check([DType::I64, DType::I32].into_iter().flat_map(|index| {
        TYPES.into_iter().map(move |dtype| {
            let args = [integers(dtype, &[2, 7, 5]), integers(index, &[2, 3])];
            Case::new(Gather { axis: 1, batch_dims: 1, least: 0 }, args).gives(dtype)
        })
    }));
    check([2, 3].into_iter().flat_map(|depth| {
        TYPES.into_iter().map(move |dtype| {
            let args = [integers(dtype, &[3, 4, 5]), integers(DType::I32, &[4, depth])];
            Case::new(GatherNd, args).gives(dtype)
        })
    }));
    let known = HostTensor { shape: Shape::from([3]), data: Data::I64(vec![4, 0, 3]) };
    let args = [integers(DType::I8, &[5, 3]), Arg::Known(known)];
    check([Case::new(Gather { axis: 0, batch_dims: 0, least: 5 }, args).gives(DType::I8)]);
}

#[test]
fn one_hot() {
    let rows: &[(&[u32], usize)] = &[(&[7], 1), (&[3, 5], 0), (&[2, 3, 5], 2)];
    check(rows.iter().flat_map(|(dims, axis)| {
        TYPES.into_iter().flat_map(move |dtype| {
            [DType::I64, DType::I32].map(|index| {
                let near = HostTensor::moved(index, Shape::new(dims), |i| i.iter().sum::<usize>() as u64);
                let [on, off] = [1, 0].map(|x| Scalar::int(dtype, x));
                let op = OneHot { axis: *axis, depth: 5, on, off };
                Case::new(op, [Arg::Elements(near.expect("it is small"))]).gives(dtype)
            })
        })
    }));
}

#[test]
fn reductions() {
    let rows: &[(&[u32], &[i64])] = &[
        (&[5], &[0]),
        (&[3, 7], &[1]),
        (&[3, 7], &[0]),
        (&[2, 3, 2, 3, 2, 5], &[0, 2, 4]),
        (&[700, 3], &[0]),
        (&[70_000], &[0]),
        (&[2, 5], &[]),
    ];
    for kind in [ReduceKind::Largest, ReduceKind::Smallest] {
        check(rows.iter().flat_map(|(dims, axes)| {
            every(ReduceIntegers(Reduce { kind, axes: axes.to_vec(), keep_dims: false }), dims)
        }));
    }
}

#[test]
fn arguments() {
    let rows: &[(&[u32], i64)] = &[(&[5], 0), (&[3, 7], -1), (&[7, 3], 0), (&[700, 3], 0), (&[2, 70_000], 1)];
    let types = [DType::F32, DType::I32, DType::I8, DType::U8, DType::Bool];
    check(rows.iter().flat_map(|(dims, axis)| {
        types.into_iter().flat_map(move |dtype| {
            [(true, false), (false, true)].map(|(largest, wide)| {
                let arg = if dtype == DType::F32 { tensor(dims) } else { integers(dtype, dims) };
                let results = if wide { DType::I64 } else { DType::I32 };
                Case::new(ArgMax { axis: *axis, largest, wide }, [arg]).gives(results)
            })
        })
    }));
}

#[test]
fn max_pools() {
    let rows: &[([u32; 4], [u32; 2], [u32; 2], Padding)] = &[
        ([1, 5, 7, 3], [2, 2], [2, 2], Padding::Same),
        ([2, 5, 7, 8], [3, 2], [1, 2], Padding::Valid),
        ([1, 12, 13, 5], [9, 10], [2, 1], Padding::Same),
        ([1, 12, 13, 4], [12, 13], [1, 1], Padding::Valid),
    ];
    let types = [(DType::I16, [-20_000, 20_000]), (DType::I8, [-128, 127]), (DType::U8, [9, 200])];
    check(rows.iter().flat_map(|&(dims, size, stride, padding)| {
        types.map(|(dtype, bounds)| {
            let zeros = SpatialPadding::default();
            let window = Window { size, stride, dilation: [1, 1], padding, zeros };
            Case::new(MaxPoolIntegers { window, bounds }, [integers(dtype, &dims)]).gives(dtype)
        })
    }));
}
