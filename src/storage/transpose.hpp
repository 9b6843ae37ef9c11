// Four columns to rows of four, by shuffles where the machine has them: compilers do not find these.
#pragma once

#include "h5score/base/types.hpp"

#include <array>

#if defined(__SSE2__)
#include <emmintrin.h>
#include <xmmintrin.h>
#endif

namespace h5score::storage {

inline constexpr base::u64 transposed_columns = 4;

/// Where each of the columns begins.
template <class T>
using Columns = std::array<const T*, transposed_columns>;

#if defined(__SSE2__)
/// Rows [row, row + 4): those of `out` lie `stride` elements apart.
inline void transpose4(const Columns<float>& in, base::u64 row, float* out, base::u64 stride) {
  __m128 a = _mm_loadu_ps(in[0] + row);
  __m128 b = _mm_loadu_ps(in[1] + row);
  __m128 c = _mm_loadu_ps(in[2] + row);
  __m128 d = _mm_loadu_ps(in[3] + row);
  _MM_TRANSPOSE4_PS(a, b, c, d);
  _mm_storeu_ps(out, a);
  _mm_storeu_ps(out + stride, b);
  _mm_storeu_ps(out + 2 * stride, c);
  _mm_storeu_ps(out + 3 * stride, d);
}

inline void transpose4(const Columns<double>& in, base::u64 row, double* out, base::u64 stride) {
  for (base::u64 half = 0; half < 4; half += 2)      // of the columns
    for (base::u64 pair = 0; pair < 4; pair += 2) {  // of the rows
      const __m128d a = _mm_loadu_pd(in[half] + row + pair);
      const __m128d b = _mm_loadu_pd(in[half + 1] + row + pair);
      _mm_storeu_pd(out + pair * stride + half, _mm_unpacklo_pd(a, b));
      _mm_storeu_pd(out + (pair + 1) * stride + half, _mm_unpackhi_pd(a, b));
    }
}
#else
template <class T>
void transpose4(const Columns<T>& in, base::u64 row, T* out, base::u64 stride) {
  for (base::u64 i = 0; i < 4; ++i)
    for (base::u64 column = 0; column < 4; ++column) out[i * stride + column] = in[column][row + i];
}
#endif

/// `rows` rows.
template <class T>
void transpose(const Columns<T>& in, base::u64 rows, T* out, base::u64 stride) {
  base::u64 row = 0;
  for (; row + 4 <= rows; row += 4) transpose4(in, row, out + row * stride, stride);
  for (; row < rows; ++row)
    for (base::u64 column = 0; column < transposed_columns; ++column) out[row * stride + column] = in[column][row];
}

}  // namespace h5score::storage
