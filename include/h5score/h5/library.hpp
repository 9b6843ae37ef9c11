// The HDF5 library as a whole. Free of <hdf5.h>.
#pragma once

#include <string>

namespace h5score::h5 {

/// Switches off HDF5's own printing of errors and its atexit handler; call once in every process before any other HDF5
/// call. Harmless when repeated.
void initialise();

/// Version of the library in use: "1.10.8".
std::string library_version();

}  // namespace h5score::h5
