using System.Security.Cryptography;

namespace Simulator.Responses;

/// <summary>Identifiers that look like the API's own.</summary>
internal static class Ids
{
    public static string Response() => "resp_" + Hex(25);

    public static string Message() => "msg_" + Hex(25);

    public static string Reasoning() => "rs_" + Hex(25);

    public static string FunctionCall() => "fc_" + Hex(25);

    public static string Call() => "call_" + Hex(12);

    public static string Compaction() => "cmp_" + Hex(25);

    public static string Conversation() => "conv_" + Hex(25);

    public static string File() => "file-" + Hex(12);

    public static string Request() => "req_" + Hex(16);

    public static string Steer() => "steer_" + Hex(16);

    public static string Item(string? type) => type switch
    {
        "function_call" => FunctionCall(),
        "function_call_output" => "fco_" + Hex(25),
        "reasoning" => Reasoning(),
        "compaction" => Compaction(),
        _ => Message(),
    };

    private static string Hex(int bytes) => RandomNumberGenerator.GetHexString(bytes * 2, lowercase: true);
}
