using AppHost.Lifecycle;

namespace AppHost.Tests;

public sealed class CrashRestartsTests
{
    [Theory]
    [InlineData("Running", "Finished", true)]
    [InlineData("Running", "Exited", true)]
    [InlineData("Starting", "FailedToStart", true)]
    [InlineData("Stopping", "Finished", false)]
    [InlineData("Finished", "Finished", false)]
    [InlineData("Exited", "Finished", false)]
    [InlineData("Running", "Stopping", false)]
    [InlineData("Finished", "Starting", false)]
    [InlineData(null, "Finished", false)]
    public void A_crash_is_an_end_that_nobody_asked_for(string? former, string state, bool crash) =>
        Assert.Equal(crash, CrashRestarts.IsCrash(former, state));
}
