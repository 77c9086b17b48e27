using System.Globalization;
using System.Text;
using Benchmarks.Load;
using Benchmarks.Measuring;

namespace Benchmarks.Reports;

/// <summary>The report to read: medians, with the quartiles in brackets.</summary>
internal static class TextTable
{
    private const int Column = 26;

    public static string Of(Report report)
    {
        var text = new StringBuilder();
        var scenario = "";
        text.AppendLine(Row("", Target.Direct, Target.Yarp, Target.Ours, "ours against yarp"));
        foreach (var metric in report.Metrics)
        {
            if (metric.Scenario != scenario)
            {
                scenario = metric.Scenario;
                text.AppendLine(scenario);
            }
            text.AppendLine(Row($"  {metric.Name}, {metric.Unit}", Cell(metric.Of(Target.Direct)), Cell(metric.Of(Target.Yarp)), Cell(metric.Of(Target.Ours)), Compared(metric)));
        }
        return text.ToString();
    }

    private static string Row(string name, params string[] cells) =>
        (name.PadRight(34) + string.Concat(cells.Select(cell => cell.PadLeft(Column)))).TrimEnd();

    private static string Compared(Metric metric)
    {
        var quartiles = metric.Compared(Target.Ours, Target.Yarp);
        return quartiles is null ? "" : metric.Comparison == Comparison.Ratio ? Cell(quartiles, "x") : Cell(quartiles, sign: "+");
    }

    private static string Cell(Quartiles? quartiles, string after = "", string sign = "") => quartiles is { } some
        ? $"{(some.Median >= 0 ? sign : "")}{Number(some.Median)}{after} [{Number(some.Lower)}..{Number(some.Upper)}]"
        : "";

    private static string Number(double value) => value.ToString(Math.Abs(value) switch { < 10 => "0.000", < 1000 => "0.0", _ => "0" }, CultureInfo.InvariantCulture);
}
