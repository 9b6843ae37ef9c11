// The kernel table of the instruction set that the including translation unit is compiled for.
#pragma once

#include "columns.hpp"
#include "elementwise.hpp"
#include "panel.hpp"
#include "rows.hpp"
#include "table.hpp"

namespace {

template <class T>
constexpr h5score::model::kernels::Table<T> make_table() {
  return {transpose<T>,
          to_rows<T>,
          row_product<T>,
          column_product<T>,
          panel_columns<T, false>,
          panel_columns<T, true>,
          all_finite<T>,
          mark_nonfinite<T>,
          mark_infinite<T>,
          fold<T>,
          scale<T>,
          impute<T>,
          mark_missing<T>,
          combine<T>,
          divide<T>,
          softmax<T>,
          first_largest<T>,
          above<T>,
          add_weighted<T>,
          exp_shifted<T>,
          add_exp<T>,
          subtract<T>,
          clip<T>,
          map<T>,
          rbf<T>,
          rbf_distance<T>,
          polynomial<T>,
          sigmoid_kernel<T>,
          kLanes<T>};
}

}  // namespace
