*** Settings ***
Documentation     Runs the firmware with a model on each board and checks what it says.
...               renode-test --variable ELF_F446RE:/path/runner.elf --variable BLOBS:/path/model.blob
...               (likewise ELF_F746ZG, ELF_F767ZI) boards.robot; boards without ELF are skipped.
Suite Setup       Setup
Suite Teardown    Teardown
Test Setup        Reset Emulation
Test Teardown     Test Teardown
Test Template     Firmware Should Run To Its End
Resource          ${RENODEKEYWORDS}

*** Variables ***
${ELF_F446RE}     ${EMPTY}
${ELF_F746ZG}     ${EMPTY}
${ELF_F767ZI}     ${EMPTY}
${BLOBS}          ${EMPTY}
${TIMEOUT}        60

*** Test Cases ***        BOARD     UART             ELF
Runs On F446RE            f446re    sysbus.usart2    ${ELF_F446RE}
Runs On F746ZG            f746zg    sysbus.usart3    ${ELF_F746ZG}
Runs On F767ZI            f767zi    sysbus.usart3    ${ELF_F767ZI}

*** Keywords ***
Firmware Should Run To Its End
    [Arguments]    ${board}    ${uart}    ${elf}
    Skip If    '${elf}' == ''    no ELF file is given for ${board}
    Execute Command    $elf=@${elf}
    Execute Command    $blobs=@${BLOBS}
    Execute Command    include @${CURDIR}/${board}.resc
    Create Terminal Tester    ${uart}    timeout=${TIMEOUT}    defaultPauseEmulation=true
    Register Failing Uart String    fault
    Register Failing Uart String    stack_overflow
    Wait For Line On Uart    ^@1 0 hello .* board=${board} .*    treatAsRegex=true
    Wait For Line On Uart    ^@1 \\d+ end status=ok .*    treatAsRegex=true
    No Access Should Have Left Memory

No Access Should Have Left Memory
    [Documentation]    Renode logs and ignores such accesses; a board traps.
    ${reads}=    Execute Command    sysbus UnexpectedReads
    ${writes}=    Execute Command    sysbus UnexpectedWrites
    Should Be Equal As Integers    ${{int('${reads}'.strip(), 0)}}    0
    Should Be Equal As Integers    ${{int('${writes}'.strip(), 0)}}    0
