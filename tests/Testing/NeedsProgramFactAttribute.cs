using System.Runtime.CompilerServices;
using Xunit;

namespace Testing;

/// <summary>
/// A test that needs programs of the machine; where one is missing, the test is skipped. The reason stands in its name, since that is
/// what a test run shows.
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
public class NeedsProgramFactAttribute : FactAttribute
{
    public NeedsProgramFactAttribute(string program, [CallerMemberName] string test = "")
        : this([program], test)
    {
    }

    protected NeedsProgramFactAttribute(string[] programs, string test)
    {
        if (programs.FirstOrDefault(program => SearchPath.Find(program) is null) is { } missing)
        {
            Skip = $"{missing} is not on PATH";
            DisplayName = $"{test} ({Skip})";
        }
    }
}
