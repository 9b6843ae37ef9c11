// Round trips through the archive, and its refusal of malformed bytes.
#include "h5score/base/archive.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace h5score::base {
namespace {

struct Inner {
  std::string name;
  std::vector<double> values;
  bool operator==(const Inner&) const = default;
};
template <class A>
void archive(A& ar, Inner& v) {
  ar(v.name, v.values);
}

struct Outer {
  u32 number = 0;
  std::vector<Inner> inners;
  std::optional<Inner> maybe;
  std::variant<std::vector<i64>, std::vector<std::string>> choice;
  std::map<std::string, u64> table;
  bool operator==(const Outer&) const = default;
};
template <class A>
void archive(A& ar, Outer& v) {
  ar(v.number, v.inners, v.maybe, v.choice, v.table);
}

Outer example() {
  return {7, {{"a", {1.5, -2}}, {"", {}}}, Inner{"maybe", {3}}, std::vector<std::string>{"x", "yy"}, {{"k", 9}}};
}

TEST(Archive, GivesBackWhatWasPut) {
  EXPECT_EQ(from_bytes<Outer>(to_bytes(example())), example());
}

TEST(Archive, RefusesEveryTruncation) {
  const Bytes whole = to_bytes(example());
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_THROW(static_cast<void>(from_bytes<Outer>(ByteView(whole).first(size))), Error) << size;
}

TEST(Archive, RefusesTrailingBytes) {
  Bytes bytes = to_bytes(example());
  bytes.push_back(std::byte{0});
  EXPECT_THROW(static_cast<void>(from_bytes<Outer>(bytes)), Error);
}

TEST(Archive, RefusesACountBeyondTheBytesWithoutAllocating) {
  for (const u64 count : {u64{2}, u64{1} << 40, std::numeric_limits<u64>::max()}) {
    EXPECT_THROW(static_cast<void>(from_bytes<std::vector<double>>(to_bytes(count))), Error);
    EXPECT_THROW(static_cast<void>(from_bytes<std::string>(to_bytes(count))), Error);
    EXPECT_THROW(static_cast<void>(from_bytes<std::vector<Inner>>(to_bytes(count))), Error);
  }
}

TEST(Archive, RefusesAnUnknownAlternative) {
  EXPECT_THROW((static_cast<void>(from_bytes<std::variant<u32, u64>>(to_bytes(u32{2})))), Error);
}

TEST(Archive, RefusesATruthValueThatIsNone) {
  EXPECT_TRUE(from_bytes<bool>(to_bytes(true)));
  EXPECT_FALSE(from_bytes<bool>(to_bytes(false)));
  EXPECT_THROW(static_cast<void>(from_bytes<bool>(to_bytes(u8{2}))), Error);
}

}  // namespace
}  // namespace h5score::base
