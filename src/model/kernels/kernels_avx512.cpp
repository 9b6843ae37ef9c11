// Kernels compiled for avx512 (flags: src/model/CMakeLists.txt).
#include "make_tables.hpp"

namespace h5score::model::kernels {
const Tables avx512_tables = {make_table<float>(), make_table<double>()};
}
