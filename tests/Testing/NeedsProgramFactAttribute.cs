using Xunit;

namespace Testing;

/// <summary>A test that needs a program of the machine; where it is missing, the test is skipped and says so.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class NeedsProgramFactAttribute : FactAttribute
{
    public NeedsProgramFactAttribute(string program)
    {
        if (SearchPath.Find(program) is null)
        {
            Skip = $"{program} is not on PATH.";
        }
    }
}
