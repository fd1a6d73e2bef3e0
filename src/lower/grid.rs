//! Workgroup sizes, and the grids of dispatches.

use super::Lower;
use crate::caps::{Caps, DeviceKind, Features};
use crate::codes::row::ROW_HELD;
use crate::error::Unsupported;
use crate::program::Join;
use crate::unsupported;

impl Lower<'_> {
    /// The grid for one invocation per item: workgroups, items per row of the grid, workgroup size.
    pub fn linear_grid(&self, items: u64) -> Result<([u32; 3], u32, u32), Unsupported> {
        linear(self.caps, items)
    }

    /// The same for workgroups of `wg` invocations: workgroups, and items per row of the grid.
    pub fn grid_of(&self, wg: u32, items: u64) -> Result<([u32; 3], u32), Unsupported> {
        of_workgroups(self.caps, wg, items)
    }

    /// The grid for so many workgroups: its size, and the workgroups per row of the grid.
    pub fn group_grid(&self, groups: u64) -> Result<([u32; 3], u32), Unsupported> {
        of_groups(self.caps, groups)
    }

    /// The workgroup of kernels with `lib/row.glsl`, which read each row so many times: invocations that share a
    /// row, and rows.
    pub fn row_workgroup(&self, channels: u32, passes: u32) -> Result<[u32; 2], Unsupported> {
        let rounds = |wg_x: u32| u64::from(passes) * u64::from(channels.div_ceil(ROW_HELD * wg_x));
        let usual = match self.caps.kind {
            // There are few threads, and nothing should wait at a barrier.
            DeviceKind::Software => self.caps.subgroup_size.min(self.caps.max_joined()),
            _ => self.caps.max_joined(),
        };
        let most = if self.runs(rounds(usual)) { usual } else { self.caps.max_joined() };
        let wg_x = channels.div_ceil(ROW_HELD).next_power_of_two().min(most);
        self.expect_rounds(rounds(wg_x))?;
        Ok([wg_x, (most.min(64) / wg_x).max(1)])
    }

    /// Whether the device runs so many rounds, those of all loops of one invocation together.
    pub fn runs(&self, rounds: u64) -> bool {
        rounds <= self.caps.machine.max_rounds.into()
    }

    /// Refuses more rounds than the device runs.
    pub fn expect_rounds(&self, rounds: u64) -> Result<(), Unsupported> {
        if !self.runs(rounds) {
            let most = self.caps.machine.max_rounds;
            unsupported!("{rounds} rounds of loops in one invocation, of {most} that this driver runs");
        }
        Ok(())
    }

    /// How a workgroup that computes so many results reduces the values of its invocations.
    pub fn join(&self, results: u32) -> Join {
        let needed = Features::SUBGROUP_BASIC.with(Features::SUBGROUP_ARITHMETIC);
        // A smaller subgroup would save one barrier at most.
        let large = self.caps.subgroup_size >= 4;
        if results == 1 && large && self.caps.features.contains(needed) {
            Join::Subgroups
        } else {
            Join::Memory
        }
    }
}

/// The grid for one invocation per item: workgroups, items per row of the grid, workgroup size.
pub fn linear(caps: &Caps, items: u64) -> Result<([u32; 3], u32, u32), Unsupported> {
    // Large machines start few workgroups at a time.
    let wg = caps.max_invocations.min(if caps.kind == DeviceKind::Discrete { 256 } else { 64 });
    let (grid, row_items) = of_workgroups(caps, wg, items)?;
    Ok((grid, row_items, wg))
}

/// The same for workgroups of `wg` invocations.
fn of_workgroups(caps: &Caps, wg: u32, items: u64) -> Result<([u32; 3], u32), Unsupported> {
    if items > u64::from(u32::MAX) {
        unsupported!("{items} elements are too many for one dispatch");
    }
    let (grid, row_groups) = of_groups(caps, items.div_ceil(u64::from(wg)))?;
    Ok((grid, row_groups * wg))
}

/// The grid for so many workgroups: its size, and the workgroups per row of the grid.
fn of_groups(caps: &Caps, groups: u64) -> Result<([u32; 3], u32), Unsupported> {
    let x = groups.min(u64::from(caps.max_grid[0])).max(1);
    let y = groups.div_ceil(x);
    if y > u64::from(caps.max_grid[1]) {
        unsupported!("{groups} workgroups are too many for one dispatch");
    }
    Ok(([x as u32, y as u32, 1], x as u32))
}
