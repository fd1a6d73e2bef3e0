//! Measures what a device reaches at best, once per process: the roofline of profiles.

use std::sync::Arc;
use std::time::Duration;

use super::peaks;
use super::session::Session;
use crate::caps::{Caps, DeviceKind, Features};
use crate::error::Result;
use crate::kernel::table::{copy, multiply_add};
use crate::plan;
use crate::program::{Buffer, BufferId, BufferKind, Cost, Dispatch, Launch, Peaks, Program};
use crate::vk::Device;

/// Operations of one invocation of `multiply_add.glsl` in one round.
const OPS_PER_ROUND: u64 = 128;

/// Workgroups of the arithmetic measurement: more than a device of this kind runs at once.
fn groups(caps: &Caps) -> u32 {
    if caps.kind == DeviceKind::Software { 64 } else { 8192 }
}

/// A measurement that takes less is repeated with more work.
const LONG_ENOUGH: Duration = Duration::from_millis(2);

impl Session {
    /// What the device reaches at best, measured by the first call for a device in this process;
    /// `None` if it has no clock.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare).
    pub fn peaks(&self) -> Result<Option<Peaks>> {
        if let Some(peaks) = peaks::measured(self.device()) {
            return Ok(peaks);
        }
        let peaks = measure(self.device())?;
        peaks::remember(self.device(), peaks);
        Ok(peaks)
    }
}

fn measure(device: &Arc<Device>) -> Result<Option<Peaks>> {
    let mut session = Session::new(device.clone());
    let caps = device.caps().clone();
    let Some((bytes, time)) = copy(&mut session, &caps)? else { return Ok(None) };
    let mut arithmetic = |kind| arithmetic(&mut session, &caps, kind);
    let fp32 = arithmetic(multiply_add::Arithmetic::F32)?;
    let fp16 = match caps.features.contains(Features::FLOAT_16) {
        true => Some(arithmetic(multiply_add::Arithmetic::F16)?),
        false => None,
    };
    let peaks = Peaks { bytes_per_s: bytes as f64 / time.as_secs_f64(), fp32, fp16 };
    log::info!("{}: {peaks}", device.info().name);
    Ok(Some(peaks))
}

/// Copies one large buffer to another: bytes read and written, and the best time.
fn copy(session: &mut Session, caps: &Caps) -> Result<Option<(u64, Duration)>> {
    let wanted: u64 = match caps.kind {
        DeviceKind::Software => 16 << 20,
        DeviceKind::Discrete => 128 << 20,
        _ => 32 << 20,
    };
    let bytes = wanted.min(caps.max_storage_range);
    let wg_x = 64;
    let row = caps.max_grid[0].min(32768);
    let groups = (bytes / 16).div_ceil(wg_x.into()) as u32;
    let launch = copy::dispatch(
        copy::kernel(),
        copy::Spec { wg_x, ..Default::default() },
        copy::Push { words: (bytes / 4) as u32, row_items: row.min(groups) * wg_x },
        copy::Bind { x: BufferId(0), y: BufferId(1) },
        [row.min(groups), groups.div_ceil(row), 1],
    );
    Ok(best(session, &[bytes, bytes], launch)?.map(|time| (2 * bytes, time)))
}

/// Operations per second.
fn arithmetic(session: &mut Session, caps: &Caps, kind: multiply_add::Arithmetic) -> Result<f64> {
    let wg_x = caps.max_invocations.min(128);
    let groups = groups(caps).min(caps.max_grid[0]);
    let invocations = u64::from(groups * wg_x);
    let mut rounds = 16;
    loop {
        let launch = multiply_add::dispatch(
            multiply_add::kernel(kind),
            multiply_add::Spec { wg_x, ..Default::default() },
            multiply_add::Push { rounds, factor: 0.5, addend: 1.0 },
            multiply_add::Bind { y: BufferId(0) },
            [groups, 1, 1],
        );
        let time = best(session, &[invocations * 4], launch)?.unwrap_or(Duration::MAX);
        if time >= LONG_ENOUGH || rounds >= 1 << 20 {
            return Ok((invocations * OPS_PER_ROUND * u64::from(rounds)) as f64 / time.as_secs_f64());
        }
        rounds *= 4;
    }
}

/// The shortest time of a few dispatches over temporary buffers of these sizes; `None` without a clock.
fn best(session: &mut Session, buffers: &[u64], launch: Launch) -> Result<Option<Duration>> {
    let buffer =
        |bytes: &u64| Buffer { bytes: *bytes, kind: BufferKind::Temp, host: None, name: "peak".into() };
    let program = Program {
        buffers: buffers.iter().map(buffer).collect(),
        dispatches: vec![Dispatch::new(launch, "peak", [], Cost::default()); 3],
        ..Program::default()
    };
    let memory = plan::memory(&program, session.device().caps().buffer_alignment);
    let recording = session.prepare_profiled(&program, &memory, &plan::barriers(&program, &memory))?;
    let mut best = None;
    for _ in 0..2 {
        session.run(&recording, &[], &mut [])?;
        let times = recording.times()?.unwrap_or_default();
        best = times.into_iter().chain(best).min();
    }
    Ok(best.map(|time| time.max(Duration::from_nanos(1))))
}
