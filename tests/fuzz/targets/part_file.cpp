// Part files given to --resume: read through a name node, then continued here. Whatever their metadata claims, a
// resumed run may change bytes of results, of the ledger and of the records of runs only, where the undamaged file has
// them.
#include "h5score/base/archive.hpp"
#include "h5score/base/hash.hpp"
#include "h5score/storage/score_file.hpp"

#include "fuzz/name_node.hpp"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace h5score::fuzz {
namespace {

using base::u64;
namespace fs = std::filesystem;

constexpr u64 rows = 40;
const char* const identity = R"({"models":["m"],"inputs":["in.h5"]})";

base::Bytes read_file(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(stream), {}};
  const auto bytes = std::as_bytes(std::span(content));
  return {bytes.begin(), bytes.end()};
}

storage::ScoreFileSpec spec() {
  storage::ScoreFileSpec spec;
  spec.rows = rows;
  spec.identity = identity;
  spec.boundaries = {0, 10, 20, 30, 40};
  spec.columns = {storage::label_column("/label", "/classes"), storage::status_column("/status")};
  storage::ScoreColumn decision{.path = "/decision",
                                .type = {.kind = base::ElementKind::floating, .size = 8},
                                .row_shape = {3},
                                .dimension = "/classes",
                                .attributes = {}};
  spec.columns.push_back(decision);
  spec.tables.push_back({"/classes", std::vector<std::string>{"a", "b", "c"}});
  spec.inputs.push_back({.path = "in.h5", .dataset = "/x", .first_row = 0, .rows = rows, .size = 1000, .mtime_ns = 5});
  return spec;
}

storage::RunFacts run_at(base::i64 start) {
  storage::RunFacts run;
  run.start_ns = start;
  return run;
}

// The bytes of a part file of which two blocks are done, and where a run may write.
struct Sound {
  base::Bytes bytes;
  std::vector<storage::Extent> writable;
};

Sound make_sound(const std::string& output) {
  fs::remove(storage::part_path(output));
  {
    auto file = storage::ScoreFile::create(output, spec(), run_at(1), {});
    for (const u64 block : {u64{0}, u64{2}}) {
      const base::Bytes results(file.result_bytes(block), std::byte{7});
      file.write(block, results, base::crc32(results));
    }
    file.suspend();
  }
  Sound sound{read_file(storage::part_path(output)), {}};
  const auto description = storage::read_scores(storage::part_path(output));
  sound.writable = description.column_extents;
  sound.writable.push_back(description.ledger_extent);
  sound.writable.push_back(description.runs_extent);
  sound.writable.push_back(description.alive_extent);
  return sound;
}

// What a resumed run does: it takes the claims over, does what is left, and finishes.
void resume(const std::string& output, const storage::ScoreDescription& part) {
  auto file = storage::ScoreFile::resume(output, part, identity, run_at(2), {});
  for (const u64 block : file.todo()) {
    constexpr u64 most_bytes = u64{1} << 24;
    if (file.result_bytes(block) > most_bytes) return;
    const base::Bytes results(file.result_bytes(block), std::byte{9});
    file.write(block, results, base::crc32(results));
  }
  file.suspend();
}

void check_changes(base::ByteView before, const base::Bytes& after, const std::vector<storage::Extent>& writable) {
  if (after.size() != before.size()) throw std::logic_error("the part file has another size");
  for (std::size_t i = 0; i < after.size(); ++i) {
    const auto holds = [&](const storage::Extent& e) { return i >= e.offset && i < e.offset + e.size; };
    if (after[i] != before[i] && std::none_of(writable.begin(), writable.end(), holds))
      throw std::logic_error("byte " + std::to_string(i) + " was changed, which is none of the results");
  }
}

const std::string& output() {
  static const InputFile file("s.h5");
  return file.path();
}

const Sound& sound() {
  static const Sound made = make_sound(output());
  return made;
}

}  // namespace

Outcome run(base::ByteView bytes) {
  static NameNode node({{"read_scores", storage::read_scores_handler}});
  const auto writable = sound().writable;
  const std::string part = storage::part_path(output());
  fs::remove(part);
  {
    std::ofstream file(part, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  const auto outcome = node.use(part, [&](h5::Sandbox& name_node) {
    const auto reply = name_node.call("read_scores", base::to_bytes(part), part);
    resume(output(), base::from_bytes<storage::ScoreDescription>(reply));
  });
  check_changes(bytes, read_file(part), writable);
  return outcome;
}

std::vector<base::Bytes> seeds() {
  return {sound().bytes};
}

}  // namespace h5score::fuzz
