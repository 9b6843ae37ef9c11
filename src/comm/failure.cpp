// Encoding of the failure message.
#include "h5score/comm/failure.hpp"

#include "h5score/base/archive.hpp"

namespace h5score::comm {

base::Bytes encode_failure(const base::Error& error) {
  base::Writer writer;
  writer(error.code(), std::string(error.what()));
  return writer.take();
}

void throw_failure(base::u32 rank, base::ByteView message) {
  base::ExitCode code = base::ExitCode::internal;
  std::string text;
  base::Reader reader(message);
  reader(code, text);
  reader.expect_end();
  throw base::Error(code, "rank " + std::to_string(rank) + ": " + text);
}

}  // namespace h5score::comm
