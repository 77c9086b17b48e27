using System.Text;
using Proxy.Edge.Protocol;

namespace Proxy.Edge.Tests.Protocol;

public sealed class FormScannerTests
{
    private const string Type = "multipart/form-data; boundary=----b";
    private const string File = "------b\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\nContent-Type: image/png\n\n\u0001\u0002--b\n";

    [Theory]
    [InlineData("gpt-image-1", File + "------b\nContent-Disposition: form-data; name=\"model\"\n\ngpt-image-1\n------b--\n")]
    [InlineData("gpt-image-1", "------b\ncontent-disposition:form-data;name=model\n\ngpt-image-1\n" + File + "------b--")]
    [InlineData("gpt-image-1", "------b\nContent-Type: text/plain; charset=utf-8\nContent-Disposition: form-data; name=\"model\"\n\ngpt-image-1\n------b--")]
    [InlineData(null, File + "------b--\n")]
    [InlineData(null, "------b--\n")]
    [InlineData(null, "------b\nContent-Disposition: form-data; name=\"model\"\n\n\n------b--\n")]
    [InlineData(null, "------b\nContent-Disposition: form-data; name=\"prompt\"\n\nx ------b y\n------b--\n")]
    public void The_model_is_read_wherever_it_stands(string? model, string form)
    {
        var (request, error) = Scan(form);
        Assert.Null(error);
        Assert.Equal(model, request!.Model);
    }

    [Fact]
    public void Files_that_are_named_are_demands()
    {
        var (request, _) = Scan("------b\nContent-Disposition: form-data; name=\"file_id\"\n\nfile-1\n------b\nContent-Disposition: form-data; name=\"file_ids[]\"\n\nfile-2\n------b--");
        Assert.Equal(["file-1", "file-2"], request!.NamedIds.Select(named => named.Id));
    }

    // Of what two readers could read in two ways, upstream could read what was not checked.
    [Theory]
    [InlineData("invalid_value", "------b\nContent-Disposition: form-data; name=\"model\"\n\na\n------b\nContent-Disposition: form-data; name=\"model\"\n\nb\n------b--")]
    [InlineData("invalid_form", "------b\nContent-Disposition: form-data; name=\"x\"; name=\"model\"\n\na\n------b--")]
    [InlineData("invalid_form", "------b\nContent-Disposition: form-data; name=\"x\"; name*=utf-8''model\n\na\n------b--")]
    [InlineData("invalid_form", "------b\nContent-Disposition: form-data; name=\"x\"\nContent-Disposition: form-data; name=\"model\"\n\na\n------b--")]
    [InlineData("invalid_form", "------b\nContent-Disposition: form-data; name=\"model\"\nContent-Transfer-Encoding: base64\n\nYQ==\n------b--")]
    [InlineData("invalid_form", "------b\nContent-Disposition: form-data\n\na\n------b--")]
    [InlineData("invalid_form", "------b\n\na\n------b--")]
    [InlineData("invalid_form", "------b\nContent-Disposition: form-data; name=\"x\"\n\na\n------b-")]
    [InlineData("invalid_form", "------b\nContent-Disposition: form-data; name=\"x\"\n\na\n------bc\n\nb\n------b--")]
    [InlineData("invalid_form", "------b--\n------b\nContent-Disposition: form-data; name=\"model\"\n\na\n------b--")]
    [InlineData("invalid_form", "preamble\n------b\nContent-Disposition: form-data; name=\"model\"\n\na\n------b--")]
    [InlineData("invalid_form", "------b\nContent-Disposition: form-data; name=\"x\"\n\na\r------b\rContent-Disposition: form-data; name=\"model\"\n\nb\n------b--")]
    [InlineData("invalid_form", "{\"model\":\"gpt-5\"}")]
    public void What_is_not_plain_is_refused(string code, string form) => Assert.Equal(code, Scan(form).Error?.Code);

    [Theory]
    [InlineData("multipart/form-data")]
    [InlineData("multipart/form-data; boundary=")]
    [InlineData("multipart/form-data; boundary=----b; boundary=c")]
    [InlineData("multipart/form-data; boundary=c; boundary*=utf-8''----b")]
    [InlineData("multipart/mixed; boundary=----b")]
    public void There_is_one_boundary(string type) => Assert.Equal("invalid_form", Scan(File + "------b--", type).Error?.Code);

    [Fact]
    public void A_quoted_boundary_is_the_same() => Assert.Null(Scan(File + "------b--", "multipart/form-data; boundary=\"----b\"").Error);

    [Fact]
    public void Values_and_parts_have_bounds()
    {
        Assert.Equal("invalid_value", Scan($"------b\nContent-Disposition: form-data; name=\"model\"\n\n{new string('m', 513)}\n------b--").Error?.Code);
        Assert.Equal("invalid_form", Scan(string.Concat(Enumerable.Repeat(File, 1001)) + "------b--").Error?.Code);
    }

    private static (TurnRequest? Request, ServiceDefaults.Http.ApiError? Error) Scan(string form, string type = Type) =>
        FormScanner.Scan(Encoding.UTF8.GetBytes(form.Replace("\n", "\r\n", StringComparison.Ordinal)), type);
}
