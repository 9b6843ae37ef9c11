// Offsets and order of result columns.
#include "run/result_layout.hpp"

#include "h5score/base/error.hpp"

#include <gtest/gtest.h>

namespace h5score::run {
namespace {

using base::ElementKind;
using base::ElementType;
using model::ResultColumn;
using model::ResultKind;

const ElementType f64{ElementKind::floating, 8};
const ElementType f32{ElementKind::floating, 4};
const ElementType i32{ElementKind::signed_integer, 4};
const ElementType u8{ElementKind::unsigned_integer, 1};

std::vector<std::vector<ResultColumn>> two_models() {
  return {{{ResultKind::label, i32, 1, false},
           {ResultKind::probability, f32, 10, true},
           {ResultKind::status, u8, 1, false}},
          {{ResultKind::prediction, f64, 1, false}, {ResultKind::status, u8, 1, false}}};
}

TEST(ResultLayout, AlignsEveryColumnForAnyNumberOfRows) {
  const auto layout =
      make_result_layout(two_models(), {}, {{ElementType{ElementKind::fixed_string, 3}, 1, false}, {f64, 1, false}});
  ASSERT_EQ(layout.slots.size(), 7U);
  EXPECT_EQ(layout.row_bytes, 4U + 40 + 1 + 8 + 1 + 3 + 8);
  for (u64 rows = 1; rows < 20; ++rows) {
    u64 end = 0;
    for (u64 i = 0; i < layout.slots.size(); ++i) {
      EXPECT_EQ(layout.offset(i, rows), end);
      if (layout.slots[i].type.numeric()) {
        EXPECT_EQ(end % layout.slots[i].type.size, 0U) << "slot " << i;
      }
      end += layout.slots[i].row_bytes() * rows;
    }
    EXPECT_EQ(end, layout.row_bytes * rows);
  }
}

TEST(ResultLayout, KeepsStatusAndTheWantedColumns) {
  const auto layout = make_result_layout(two_models(), {"label", "prediction"}, {});
  EXPECT_EQ(layout.slots.size(), 4U);
}

TEST(ResultLayout, RefusesAColumnThatNoModelGives) {
  try {
    static_cast<void>(make_result_layout(two_models(), {"decision"}, {}));
    FAIL() << "no error";
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::usage);
    EXPECT_NE(std::string(error.what()).find("label, probability, status, prediction"), std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace h5score::run
