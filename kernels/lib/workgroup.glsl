// Workgroup size as specialisation constants.
layout(constant_id = 0) const uint WG_X = 64;
layout(constant_id = 1) const uint WG_Y = 1;
layout(constant_id = 2) const uint WG_Z = 1;
layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
