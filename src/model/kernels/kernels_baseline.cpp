// Kernels compiled for baseline (flags: src/model/CMakeLists.txt).
#include "make_tables.hpp"

namespace h5score::model::kernels {
const Tables baseline_tables = {make_table<float>(), make_table<double>()};
}
