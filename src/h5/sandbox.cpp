// The child process behind h5::Sandbox: a request loop over a socket pair, under resource limits.
#include "h5score/h5/sandbox.hpp"

#include "h5score/base/archive.hpp"
#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <new>
#include <stdexcept>
#include <utility>

namespace h5score::h5 {
namespace {

using base::Bytes;
using base::ByteView;
using base::Error;
using base::ExitCode;
using base::u64;
using base::u8;
using Clock = std::chrono::steady_clock;

#if defined(__has_feature)  // clang's way to tell
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define H5SCORE_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(H5SCORE_SANITIZED)
constexpr bool sanitized = true;  // shadow memory needs terabytes of address space, and its reports need stderr
#else
constexpr bool sanitized = false;
#endif

constexpr time_t slower = sanitized ? 4 : 1;

enum class Outcome : u8 { value, error };

// What a child's failed request looks like on the wire.
struct Failure {
  int code = 0;
  std::string message;
};
template <class A>
void archive(A& ar, Failure& v) {
  ar(v.code, v.message);
}

struct Call {
  std::string name;
  Bytes request;
};
template <class A>
void archive(A& ar, Call& v) {
  ar(v.name, v.request);
}

// Blocking transfers of the child; false once the parent is gone.
bool read_all(int fd, std::byte* data, std::size_t size) {
  while (size != 0) {
    const ssize_t n = ::read(fd, data, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    data += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

bool write_all(int fd, const std::byte* data, std::size_t size) {
  while (size != 0) {
    const ssize_t n = ::send(fd, data, size, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    data += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

// A frame's header: outcome and size of what follows.
struct Header {
  u64 size = 0;
  u64 outcome = 0;
};

void set_limit(decltype(RLIMIT_AS) resource, rlim_t soft) {
  rlimit limit{};
  if (::getrlimit(resource, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max == RLIM_INFINITY ? soft : std::min(soft, limit.rlim_max);
  // A refusal leaves the inherited limit, which the batch system chose: no reason to fail.
  static_cast<void>(::setrlimit(resource, &limit));
}

// Starts the CPU budget of one request: the seconds used so far plus the allowance.
void set_cpu_limit(std::chrono::seconds allowance) {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  set_limit(RLIMIT_CPU, static_cast<rlim_t>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + 2 + allowance.count()));
}

// The timer counts CPU time, and its signal ends the process. Its interval keeps the length of a step: it never comes
// to be used, and tells step() that there are steps.
void set_step(timeval length, time_t more) {
  const itimerval timer{.it_interval = length, .it_value = {length.tv_sec + more, length.tv_usec}};
  static_cast<void>(::setitimer(ITIMER_PROF, &timer, nullptr));
}

void close_others(int keep) {
#ifdef SYS_close_range
  const auto k = static_cast<unsigned>(keep);
  const bool below = k == 3 || ::syscall(SYS_close_range, 3U, k - 1, 0U) == 0;
  if (below && ::syscall(SYS_close_range, k + 1, ~0U, 0U) == 0) return;
#endif
  const long most = ::sysconf(_SC_OPEN_MAX);
  for (int fd = 3; fd < most; ++fd)
    if (fd != keep) ::close(fd);
}

void settle_in(int socket, pid_t parent, const Sandbox::Limits& limits) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(0);
  for (const int number : {SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGHUP, SIGQUIT, SIGPIPE})
    ::signal(number, SIG_IGN);  // the parent decides when to end
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGXCPU, SIGPROF, SIGALRM, SIGCHLD})
    if (!sanitized) ::signal(number, SIG_DFL);
  close_others(socket);
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null >= 0) {
    ::dup2(null, STDIN_FILENO);
    ::dup2(null, STDOUT_FILENO);
    if (!sanitized) ::dup2(null, STDERR_FILENO);  // a crash is reported by the parent, once
    if (null > STDERR_FILENO) ::close(null);
  }
  set_limit(RLIMIT_CORE, 0);
  if (!sanitized) set_limit(RLIMIT_AS, limits.memory_bytes);
}

std::pair<Outcome, Bytes> answer(const std::map<std::string, Sandbox::Function>& functions, ByteView frame) {
  Failure failure{.code = static_cast<int>(ExitCode::internal), .message = {}};
  try {
    const auto call = base::from_bytes<Call>(frame);
    const auto function = functions.find(call.name);
    if (function == functions.end())
      throw Error(ExitCode::internal, "the name node has no function '" + call.name + "'");
    return {Outcome::value, function->second(call.request)};
  } catch (const Error& error) {
    failure = {static_cast<int>(error.code()), error.what()};
  } catch (const std::bad_alloc&) {
    failure = {static_cast<int>(ExitCode::data), "needs more memory than the name node may use"};
  } catch (const std::length_error&) {
    failure = {static_cast<int>(ExitCode::data), "needs more memory than the name node may use"};
  } catch (const std::exception& error) {
    failure.message = error.what();
  }
  return {Outcome::error, base::to_bytes(failure)};
}

[[noreturn]] void serve(int socket, const std::map<std::string, Sandbox::Function>& functions,
                        const Sandbox::Limits& limits) {
  for (;;) {
    Header header;
    if (!read_all(socket, reinterpret_cast<std::byte*>(&header), sizeof header)) ::_exit(0);
    Bytes frame(header.size);
    if (!read_all(socket, frame.data(), frame.size())) ::_exit(0);
    set_cpu_limit(limits.cpu_per_request);
    set_step({.tv_sec = limits.cpu_per_step.count() * slower, .tv_usec = 0}, 0);
    const auto [outcome, reply] = answer(functions, frame);
    set_step({}, 0);
    header = {reply.size(), static_cast<u64>(outcome)};
    if (!write_all(socket, reinterpret_cast<const std::byte*>(&header), sizeof header)) ::_exit(0);
    if (!write_all(socket, reply.data(), reply.size())) ::_exit(0);
  }
}

std::string describe_status(int status) {
  if (WIFEXITED(status)) return "it ended with exit code " + std::to_string(WEXITSTATUS(status));
  const int number = WTERMSIG(status);
  if (number == SIGXCPU || number == SIGPROF)
    return "it used more CPU time than allowed (signal " + std::to_string(number) + ")";
  return "signal " + std::to_string(number) + ", " + ::strsignal(number) +
         (number == SIGKILL ? "; perhaps memory ran out" : "");
}

}  // namespace

class Sandbox::Impl {
 public:
  Impl(const std::map<std::string, Function>& functions, const Limits& limits) : limits_(limits) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
      throw Error(ExitCode::internal, "the name node cannot be started", base::errno_text(errno));
    const pid_t parent = ::getpid();
    child_ = ::fork();
    if (child_ == 0) {
      settle_in(ends[1], parent, limits);
      serve(ends[1], functions, limits);
    }
    const int reason = errno;
    ::close(ends[1]);
    socket_ = ends[0];
    if (child_ < 0) {
      ::close(socket_);
      throw Error(ExitCode::internal, "the name node cannot be started", base::errno_text(reason));
    }
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    ::shutdown(socket_, SHUT_RDWR);
    if (child_ > 0) end_child();
    ::close(socket_);
  }

  Bytes call(const std::string& name, ByteView request, const std::string& subject, const std::function<void()>& poll) {
    if (child_ <= 0)
      throw Error(ExitCode::data, subject + ": cannot be read", "the name node ended earlier: " + epitaph_);
    if (watch_) watch_();
    const Bytes frame = base::to_bytes(Call{name, Bytes(request.begin(), request.end())});
    const auto deadline = Clock::now() + limits_.reply_timeout;
    Header header{frame.size(), 0};
    send(reinterpret_cast<const std::byte*>(&header), sizeof header, subject, deadline, poll);
    send(frame.data(), frame.size(), subject, deadline, poll);
    receive(reinterpret_cast<std::byte*>(&header), sizeof header, subject, deadline, poll);
    Bytes reply;
    try {
      reply.resize(header.size);
    } catch (const std::exception&) {
      mourn(subject, "it answers with " + std::to_string(header.size) + " bytes");
    }
    receive(reply.data(), reply.size(), subject, deadline, poll);
    if (header.outcome == static_cast<u64>(Outcome::value)) return reply;
    const auto failure = base::from_bytes<Failure>(reply);
    throw Error(static_cast<ExitCode>(failure.code), failure.message);
  }

  void watch(std::function<void()> check) { watch_ = std::move(check); }

 private:
  // Waits until the socket is ready for `events`, calling `poll` meanwhile; ends the child when it takes too long.
  void wait_for(short events, const std::string& subject, Clock::time_point deadline,
                const std::function<void()>& poll) {
    for (;;) {
      const auto left = std::chrono::duration_cast<std::chrono::microseconds>(deadline - Clock::now()).count();
      if (left <= 0) mourn(subject, "no answer within " + std::to_string(limits_.reply_timeout.count()) + " s");
      const auto slice = std::min<long>(static_cast<long>(left), poll ? 200 : 100'000);
      pollfd entry{.fd = socket_, .events = events, .revents = 0};
      const timespec pause{.tv_sec = slice / 1'000'000, .tv_nsec = slice % 1'000'000 * 1000};
      const int ready = ::ppoll(&entry, 1, &pause, nullptr);
      if (ready > 0) return;
      if (ready < 0 && errno != EINTR) mourn(subject, base::errno_text(errno));
      if (poll) poll();
      if (watch_) look_up(subject);
    }
  }

  // The reply of an interrupted call would be taken for that of the next one, so the child ends with it.
  void look_up(const std::string& subject) {
    try {
      watch_();
    } catch (...) {
      static_cast<void>(end_child());
      epitaph_ = subject + ": interrupted";
      throw;
    }
  }

  void send(const std::byte* data, std::size_t size, const std::string& subject, Clock::time_point deadline,
            const std::function<void()>& poll) {
    while (size != 0) {
      wait_for(POLLOUT, subject, deadline, poll);
      const ssize_t n = ::send(socket_, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (n <= 0) mourn(subject, {});
      data += n;
      size -= static_cast<std::size_t>(n);
    }
  }

  void receive(std::byte* data, std::size_t size, const std::string& subject, Clock::time_point deadline,
               const std::function<void()>& poll) {
    while (size != 0) {
      wait_for(POLLIN, subject, deadline, poll);
      const ssize_t n = ::recv(socket_, data, size, MSG_DONTWAIT);
      if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (n <= 0) mourn(subject, {});
      data += n;
      size -= static_cast<std::size_t>(n);
    }
  }

  // The child died, or must now: throws the error that says so. `why` is empty if it died by itself.
  [[noreturn]] void mourn(const std::string& subject, std::string why) {
    const int status = end_child();
    if (why.empty()) why = describe_status(status);
    epitaph_ = subject + ": " + why;
    throw Error(ExitCode::data, subject + ": the file crashes or overloads the HDF5 library", why,
                "it may be damaged: try `h5dump -H` on it");
  }

  // A child that closed its socket is about to end by itself, with the status that tells why: it gets a moment.
  int end_child() {
    int status = 0;
    pid_t ended = 0;
    for (int attempt = 0; attempt < 50 && ended == 0; ++attempt) {
      if (attempt != 0) ::usleep(2000);
      ended = ::waitpid(child_, &status, WNOHANG);
      pollfd entry{.fd = socket_, .events = POLLIN, .revents = 0};
      if (ended == 0 && (::poll(&entry, 1, 0) <= 0 || (entry.revents & (POLLHUP | POLLNVAL)) == 0)) break;
    }
    if (ended == 0) {
      ::kill(child_, SIGKILL);
      while (::waitpid(child_, &status, 0) < 0 && errno == EINTR) {
      }
    }
    child_ = -1;
    return status;
  }

  Limits limits_;
  pid_t child_ = -1;
  int socket_ = -1;
  std::string epitaph_;
  std::function<void()> watch_;
};

Sandbox::Sandbox(const std::map<std::string, Function>& functions, const Limits& limits)
    : impl_(std::make_unique<Impl>(functions, limits)) {}
Sandbox::Sandbox(Sandbox&&) noexcept = default;
Sandbox& Sandbox::operator=(Sandbox&&) noexcept = default;
Sandbox::~Sandbox() = default;

Bytes Sandbox::call(const std::string& name, ByteView request, const std::string& subject,
                    const std::function<void()>& poll) {
  return impl_->call(name, request, subject, poll);
}

void Sandbox::step(u64 bytes) {
  constexpr u64 bytes_per_second = u64{8} << 20;
  constexpr u64 longest = 3600;  // cpu_per_request ends before
  itimerval timer{};
  if (::getitimer(ITIMER_PROF, &timer) != 0 || timer.it_interval.tv_sec == 0) return;
  set_step(timer.it_interval, static_cast<time_t>(std::min(bytes / bytes_per_second, longest)));
}

void Sandbox::watch(std::function<void()> check) {
  impl_->watch(std::move(check));
}

}  // namespace h5score::h5
