// The kernel table of the instruction set that the including translation unit is compiled for.
#pragma once

#include "elementwise.hpp"
#include "panel.hpp"
#include "table.hpp"

namespace {

template <class T>
constexpr h5score::model::kernels::Table<T> make_table() {
  return {transpose<T>,
          panel_columns<T, false>,
          panel_columns<T, true>,
          mark_nonfinite<T>,
          fold<T>,
          scale<T>,
          impute<T>,
          divide<T>,
          exp_shifted<T>,
          clip<T>,
          map<T>,
          rbf<T>,
          rbf_distance<T>,
          polynomial<T>,
          sigmoid_kernel<T>,
          kLanes<T>};
}

}  // namespace
