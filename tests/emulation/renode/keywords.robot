*** Settings ***
Documentation     In the place of Renode's renode-keywords.robot.
Library           tests.emulation.renode.robot_keywords.robot_keywords
